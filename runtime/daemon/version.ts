/** The package's version, as text in the code: a bundled daemon has no package.json to read. A test compares them. */
export const hullVersion = '0.1.0';

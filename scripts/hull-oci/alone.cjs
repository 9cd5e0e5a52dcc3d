// The executables of the built form, `alone` and `fresh`, which is for who has looked at the sources: run hull-oci.cjs beside it with the code that V8 has made of it for an earlier call of the same verb.
// Node's own compile cache has only what V8 makes before a file is run, not the functions that are compiled at their first call.
const { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs');
const { basename, join } = require('node:path');
const { Script } = require('node:vm');

const filename = join(__dirname, 'hull-oci.cjs');
const verbs = 'create delete events exec kill list pause ps resume run spec start state update'.split(' ');
// What a global option is given may be taken for the verb: then the call has another one's code, and compiles what that lacks.
const verb = process.argv.find((word) => verbs.includes(word)) ?? 'other';
// Code is only good for the options of Node that it was made with, which the two differ in.
const path = join(__dirname, `${basename(__filename)}-${verb}.code`);

/** @type {Buffer | undefined} */
let cachedData;
try {
  cachedData = readFileSync(path);
} catch {
  // The first call of this verb.
}
const text = readFileSync(filename, 'latin1');
const script = new Script(`(function (require, __dirname, keepCode, isFresh) {${text}\n})`, {
  filename,
  ...(cachedData && { cachedData }),
});
const isKept = cachedData !== undefined && !script.cachedDataRejected;
script.runInThisContext()(
  require,
  __dirname,
  isKept ? undefined : keepCode,
  basename(__filename) === 'fresh',
);

/** For the next call: all functions that this one has run. Whole or not there; others may read it, and nobody else write. */
function keepCode() {
  // Another pid namespace may have the same number.
  const temporary = `${path}.${process.pid}.${process.hrtime.bigint()}`;
  try {
    writeFileSync(temporary, '', { mode: 0o644 });
  } catch {
    // The folder is somebody else's.
    return;
  }
  try {
    writeFileSync(temporary, script.createCachedData());
    chmodSync(temporary, 0o644);
    renameSync(temporary, path);
  } catch {
    rmSync(temporary, { force: true });
  }
}

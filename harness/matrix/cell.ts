import type { DriverDefinition } from '../hosts/host.ts';

/** host × engine × driver. Its text form is `host/engine/driver`. */
export interface Cell {
  readonly host: string;
  readonly engine: string;
  readonly driver: DriverDefinition;
}

/** A scenario in a cell that the plan says must run. Its text form, `host/engine/driver:area/scenario`, re-runs exactly it. */
export interface Job {
  readonly cell: Cell;
  readonly area: string;
  readonly scenario: string;
}

export function cellName({ host, engine, driver }: Cell): string {
  return `${host}/${engine}/${driver.name}`;
}

export function jobName({ cell, area, scenario }: Job): string {
  return `${cellName(cell)}:${area}/${scenario}`;
}

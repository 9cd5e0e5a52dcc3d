import type { IntelRdt } from '../base/oci.ts';
import { makeResctrl, placeResctrl, type ResctrlPlace, removeResctrl } from '../cgroups/resctrl.ts';
import { planResctrl } from '../cgroups/resctrl-plan.ts';

/** What a new container has in resctrl: first where, for its state, and then it is made. */
export function placeOf(rdt: IntelRdt, id: string) {
  const plan = planResctrl(rdt, id);
  const place: ResctrlPlace = placeResctrl(plan);
  return { place, make: () => makeResctrl(plan, place), remove: () => removeResctrl(place) };
}

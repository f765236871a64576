/** Prints what a promise computes in a process of its own: print.ts NAME PROVIDER. */
import { everything } from './everything.ts';
import { type Pledged, pledges } from './promises.ts';

const [name, provider] = process.argv.slice(2) as [Pledged, string];
console.log(JSON.stringify(await pledges[name].compute(everything, { providers: [provider] })));

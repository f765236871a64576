/** What a test's page has: the built package as a browser loads it, and what tests run with it. */
import { demo } from './demo.ts';
import { everything } from './everything.ts';
import { pledges } from './promises.ts';

Object.assign(globalThis, { resnext: everything, demo, pledges });

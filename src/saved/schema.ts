/** Tables of options as zod schemas, for what files hold. */
import * as z from 'zod';
import { refusedOption, resolve, type Table } from '../options.ts';

/** The options of a table as they were saved. Those that a file lacks have their defaults; what the table lacks is dropped. */
export const schemaOf = <T extends Table>(table: T) =>
  z
    .looseObject({})
    .check(({ value, issues }) => {
      const refused = refusedOption(table, value);
      if (refused) issues.push({ code: 'custom', message: refused.message, input: value });
    })
    .transform((given) => resolve(table, given));

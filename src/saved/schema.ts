/** Tables of options as zod schemas, for what files hold. */
import * as z from 'zod';
import { namesWith, refusal, refusedOption, resolve, type Table } from '../options.ts';

/**
 * The options of a table as a file holds them. Missing ones get their defaults, unless they are marked `alwaysSaved`;
 * names that are not in the table are dropped.
 */
export const schemaOf = <T extends Table>(table: T) =>
  z
    .looseObject({})
    .check(({ value, issues }) => {
      const missing = namesWith(table, 'alwaysSaved').find((name) => value[name] === undefined);
      const refused = missing
        ? `${missing} ${refusal(table[missing]!, undefined)}`
        : refusedOption(table, value)?.message;
      if (refused !== undefined) issues.push({ code: 'custom', message: refused.replace(/\.$/, ''), input: value });
    })
    .transform((given) => resolve(table, given));

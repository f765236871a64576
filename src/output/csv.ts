/** CSV as in RFC 4180, with line feeds. */

/** A row of cells, quoted where necessary. */
export const csvRow = (cells: readonly (string | number | boolean)[]): string =>
  cells.map((cell) => (/[",\r\n]/.test(`${cell}`) ? `"${`${cell}`.replaceAll('"', '""')}"` : cell)).join(',');

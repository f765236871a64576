/** What a terminal can show: how many colors, and in how many columns. */
import { WriteStream } from 'node:tty';

/** `full` is 24 bits, `palette` the 256 colors that most terminals agree on; fewer are no use for images. */
export type Colors = 'none' | 'palette' | 'full';

export interface Terminal {
  readonly colors: Colors;
  readonly columns: number;
}

/** The variables of the environment that say what the terminal can. */
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * By what the stream and the environment say; the terminal itself is not asked, since some never answer.
 *
 * @param stream where output goes. One that is no terminal has no colors unless `FORCE_COLOR` says so.
 * @example terminalOf(process.stdout, process.env)
 */
export function terminalOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  env: Environment,
): Terminal {
  const isAsked = stream.isTTY === true || (env.FORCE_COLOR ?? '') !== '';
  return { colors: isAsked ? colorsOf(env) : 'none', columns: stream.columns || 80 };
}

function colorsOf(env: Environment): Colors {
  if ((env.NO_COLOR ?? '') !== '') return 'none';
  const bits = WriteStream.prototype.getColorDepth({ ...env, NO_COLOR: undefined }); // an empty one counts there
  if (bits < 8) return 'none';
  return bits < 24 ? 'palette' : 'full';
}

/**
 * Download settings from the environment variables that Python's huggingface_hub, torch.hub and curl use: HF_ENDPOINT
 * (a mirror), HF_TOKEN, HF_HUB_CACHE, HF_HOME, HF_HUB_OFFLINE, TORCH_HOME, XDG_CACHE_HOME, HTTP_PROXY, HTTPS_PROXY and
 * NO_PROXY.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../errors.ts';

/** Where downloads come from and go. */
export interface HubEnvironment {
  /** URL of the hub, without a trailing slash. */
  readonly endpoint: string;
  readonly token?: string;
  /** The folder that contains `models--owner--name` folders. */
  readonly hubCache: string;
  /** torch.hub's checkpoint folder. */
  readonly checkpoints: string;
  /** Use only the caches. */
  readonly offline: boolean;
  /** Proxy URLs; empty if there is none. */
  readonly proxies: { readonly http: string; readonly https: string; readonly except: string };
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Reads the download settings.
 *
 * @throws UsageError if HF_ENDPOINT or a proxy is not a URL, or HF_TOKEN is not a token.
 * @example hubEnvironment({ HF_HOME: '/data/hf' }).hubCache // '/data/hf/hub'
 */
export function hubEnvironment(env: Variables = process.env): HubEnvironment {
  const caches = env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const home = env.HF_HOME || join(caches, 'huggingface');
  return {
    endpoint: endpoint(env.HF_ENDPOINT || 'https://huggingface.co'),
    ...(env.HF_TOKEN && { token: token(env.HF_TOKEN.trim()) }),
    hubCache: env.HF_HUB_CACHE || join(home, 'hub'),
    checkpoints: join(env.TORCH_HOME || join(caches, 'torch'), 'hub', 'checkpoints'),
    offline: /^(1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE ?? ''),
    proxies: {
      http: proxy('HTTP_PROXY', env.http_proxy || env.HTTP_PROXY || ''),
      https: proxy('HTTPS_PROXY', env.https_proxy || env.HTTPS_PROXY || ''),
      except: env.no_proxy || env.NO_PROXY || '',
    },
  };
}

function endpoint(text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    throw new UsageError(`HF_ENDPOINT is "${text}", but expected a URL such as https://huggingface.co.`);
  }
  return text.replace(/\/+$/, '');
}

/** The message does not show the value, which is a secret. */
function token(text: string): string {
  if (/^[\x21-\x7e]*$/.test(text)) return text;
  throw new UsageError('HF_TOKEN is not a valid token: expected one word of printable ASCII characters, such as hf_….');
}

/** An http or https URL; http without a scheme, as in curl. The message hides the value: it may have a password. */
function proxy(variable: string, text: string): string {
  const url = text === '' || /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (url === '' || (URL.canParse(url) && /^https?:/i.test(url))) return url;
  throw new UsageError(
    `${variable} is not a valid URL: expected that of an HTTP proxy, such as http://proxy.example:3128.`,
  );
}

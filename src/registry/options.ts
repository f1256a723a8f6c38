// How a registry is spoken to: what a command line says, and how patient we are.

/** All optional: the defaults are docker's. */
export interface ConnectionOptions {
  /** false: certificates are not checked, and plain http is spoken where there is no https. Default true. */
  readonly tlsVerify?: boolean;
  /** A PEM file of authorities that are trusted besides the system's. */
  readonly caFile?: string;
  /** A directory of *.crt (authorities) and NAME.cert with NAME.key (client), as /etc/docker/certs.d/HOST. */
  readonly certDir?: string;
  /** The directory of docker's config.json; $DOCKER_CONFIG, else ~/.docker. */
  readonly configDir?: string;
  /** Instead of those of config.json. */
  readonly credential?: Credential;
  /** Where proxies and certificate files are named; process.env by default. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly patience?: Partial<Patience>;
}

/** Who the user is. An identity token takes the place of the password (docker's "<token>"). */
export interface Credential {
  readonly username: string;
  readonly secret: string;
  readonly kind: "password" | "identity-token";
}

/** When a transfer is given up, and when it is tried again. */
export interface Patience {
  /** No byte in either direction for so long: the connection is dead. */
  readonly stallMs: number;
  /** The same while the registry works on what it was sent. */
  readonly answerMs: number;
  /** Tries of one request; a download that made headway begins to count anew. */
  readonly attempts: number;
  /** Doubled with each failure. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** A Retry-After beyond this is an error at once. */
  readonly longestRetryAfterMs: number;
}

const DEFAULT_PATIENCE: Patience = {
  stallMs: 30_000,
  answerMs: 300_000,
  attempts: 6,
  firstPauseMs: 500,
  longestPauseMs: 15_000,
  longestRetryAfterMs: 120_000,
};

export function patienceOf(options: ConnectionOptions): Patience {
  return { ...DEFAULT_PATIENCE, ...options.patience };
}

// SPDX-License-Identifier: Apache-2.0
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What becomes of questions to the registry. */
export type Weather =
  /** They are answered. */
  | 'fair'
  /** Connections end. */
  | 'down'
  /** There is no answer, and no end. */
  | 'silent'
  /** An answer begins, and does not end. */
  | 'stuck'
  /** 429, with Retry-After. */
  | 'busy'
  /** 503. */
  | 'failing'
  /** 403. */
  | 'closed'
  /** Manifests and blobs have other bytes than those that were asked for. */
  | 'lying'
  /** Only blobs do: what was signed, and the signatures. */
  | 'forging'
  /** It says that there is nothing, in words that are not those of registries. */
  | 'parked';

type Reply = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** What stands before a registry, and spoils its answers. */
export class RegistryFront {
  readonly #server;
  readonly #target: URL;
  readonly #seen: string[] = [];
  #weather: Weather = 'fair';

  private constructor(target: string) {
    this.#target = new URL(`http://${target}`);
    this.#server = createServer((incoming, outgoing) => {
      this.#seen.push(`${incoming.method} ${incoming.url}`);
      const spoil = SPOILS[this.#weather] ?? this.#forward.bind(this);
      spoil(incoming, outgoing);
    });
  }

  /** Starts one before the registry at `target`, a host with its port. */
  static async start(target: string): Promise<RegistryFront> {
    const front = new RegistryFront(target);
    await new Promise<void>((resolve) => {
      front.#server.listen(0, '127.0.0.1', resolve);
    });
    return front;
  }

  /** How images name it. */
  get host(): string {
    return `localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Changes the weather: who waits for an answer is let go. */
  turns(weather: Weather): void {
    this.#weather = weather;
    this.#seen.length = 0;
    this.#server.closeAllConnections();
  }

  /** Questions about a repository since the weather has changed. */
  asked(repository: string): readonly string[] {
    return this.#seen.filter((one) => one.includes(`/v2/${repository}/`));
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method, headers, url = '/' } = incoming;
    const onward = request(new URL(url, this.#target), { method, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', () => outgoing.destroy());
      answer.on('end', () => {
        const bytes = Buffer.concat(chunks);
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        outgoing.end(answer.statusCode === 200 && this.#liesAbout(url) ? changed(bytes) : bytes);
      });
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  }

  #liesAbout(url: string): boolean {
    return this.#weather === 'lying' || (this.#weather === 'forging' && url.includes('/blobs/'));
  }
}

/** As many bytes, of which the last ones are others: what is JSON stays it. */
function changed(bytes: Buffer): Buffer {
  return Buffer.from(
    bytes.toString('latin1').replace(/[0-9a-f](?=[^0-9a-f]*$)/, (one) => (one === '0' ? '1' : '0')),
    'latin1',
  );
}

function says(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Reply {
  return (_, outgoing) => {
    outgoing.writeHead(status, { 'content-type': 'application/json', ...headers });
    outgoing.end(body);
  };
}

const error = (code: string): string => JSON.stringify({ errors: [{ code, message: 'as it is today' }] });

/** What comes instead of what the registry says. */
const SPOILS: Readonly<Partial<Record<Weather, Reply>>> = {
  down: ({ socket }) => socket.destroy(),
  silent: () => {},
  stuck: (_, outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' });
    outgoing.write('{');
  },
  busy: says(429, error('TOOMANYREQUESTS'), { 'retry-after': '2' }),
  failing: says(503, error('UNAVAILABLE')),
  closed: says(403, error('DENIED')),
  parked: says(404, '<html>this domain is for sale</html>', { 'content-type': 'text/html' }),
};

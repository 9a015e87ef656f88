// SPDX-License-Identifier: Apache-2.0
import { rename, writeFile } from 'node:fs/promises';
import type { AttachedCluster } from '../cluster/attached-cluster.ts';

/** A token in a file, as the kubelet projects it into pods: replaced long before it runs out. */
export interface TokenFile {
  readonly path: string;
  /** Ends the replacing. The file stays. */
  stop(): void;
}

/** Whose token, and where. */
export interface TokenFileOptions {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly path: string;
  /** Age at which it is replaced, in milliseconds. Tokens live for an hour. Default: half of that. */
  readonly replaceAfterMs?: number;
  /** Told when a replacement failed; it is tried again after a tenth of that time. */
  readonly onError?: (error: unknown) => void;
}

const LIFETIME_SECONDS = 3600;

/** Writes a token of the ServiceAccount and keeps it fresh until stopped. Throws when the first one is refused. */
export async function keepTokenFile(cluster: AttachedCluster, options: TokenFileOptions): Promise<TokenFile> {
  const { namespace, serviceAccount, path, replaceAfterMs = (LIFETIME_SECONDS * 1000) / 2 } = options;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  const write = async (): Promise<void> => {
    const token = await cluster.serviceAccountToken(namespace, serviceAccount, LIFETIME_SECONDS);
    await writeFile(`${path}.next`, token, { mode: 0o600 });
    // Whoever reads meanwhile gets the old one or the new one, never half of one.
    await rename(`${path}.next`, path);
  };
  const schedule = (afterMs: number): void => {
    if (isStopped) return;
    timer = setTimeout(() => void replace(), afterMs).unref();
  };
  const replace = async (): Promise<void> => {
    try {
      await write();
      schedule(replaceAfterMs);
    } catch (error) {
      options.onError?.(error);
      schedule(replaceAfterMs / 10);
    }
  };
  await write();
  schedule(replaceAfterMs);
  return {
    path,
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

// SPDX-License-Identifier: Apache-2.0
import type { RemoteAttempt } from '#crds/v1alpha1/remote-attempt';

/** The header that shows who asks. */
export interface Shown {
  readonly header: readonly [name: string, value: string];
  /** All that must not be told on. */
  readonly secrets: readonly string[];
}

const MAX_LENGTH = 8192;

/** What is shown to the endpoint, or why that cannot be. Says nothing of what is in the file. */
export function shownBy(
  { scheme, header = 'authorization' }: NonNullable<RemoteAttempt['auth']>,
  content: string,
): Shown | { readonly problem: string } {
  // Editors and `echo` put a line break there.
  const credential = content.replace(/\r?\n$/, '');
  if (credential === '' || credential.length > MAX_LENGTH || !/^[ -~]*$/.test(credential)) {
    const problem = `spec.remote.auth.secretKeyRef: found ${credential.length} characters; allowed are 1 to ${MAX_LENGTH}, on one line, of visible ASCII`;
    return { problem };
  }
  if (scheme === 'Header') return { header: [header, credential], secrets: [credential] };
  if (scheme === 'Bearer')
    return { header: ['authorization', `Bearer ${credential}`], secrets: [credential] };
  const at = credential.indexOf(':');
  if (at < 1) return { problem: 'spec.remote.auth.secretKeyRef: with scheme Basic it is <user>:<password>' };
  const encoded = btoa(credential);
  return {
    header: ['authorization', `Basic ${encoded}`],
    secrets: [credential, encoded, credential.slice(at + 1)],
  };
}

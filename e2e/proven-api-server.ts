// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority, issue } from '#hack/cluster/certificates';

/** An API server that proves to admission processes that it is the one, and processes that serve nobody else. */
export interface ProvenApiServer {
  /** For the API server. */
  readonly extraArgs: { readonly 'kube-apiserver': readonly string[] };
  /** For admission processes. */
  readonly env: Readonly<Record<string, string>>;
  /** Takes the files away. */
  remove(): Promise<void>;
}

const PLUGINS = ['ValidatingAdmissionWebhook', 'MutatingAdmissionWebhook'];

/** Makes the files that this takes: an authority, a certificate of the API server, and how it is told to show it. */
export async function proveApiServer(now = new Date()): Promise<ProvenApiServer> {
  const folder = await mkdtemp(join(tmpdir(), `nexusos-proven-${process.pid}-`));
  const at = (name: string) => join(folder, name);
  const authority = createAuthority('admission-clients', now);
  const { certificate, key } = issue(authority, { commonName: 'kube-apiserver', usages: ['client'] }, now);
  const user = { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) };
  const kubeconfig = { apiVersion: 'v1', kind: 'Config', users: [{ name: '*', user }] };
  const group = 'apiserver.config.k8s.io/v1';
  const configuration = {
    apiVersion: group,
    kind: 'WebhookAdmissionConfiguration',
    kubeConfigFile: at('kubeconfig'),
  };
  const plugins = PLUGINS.map((name) => ({ name, configuration }));
  await writeFile(at('ca.crt'), authority.pair.certificate);
  await writeFile(at('kubeconfig'), JSON.stringify(kubeconfig), { mode: 0o600 });
  await writeFile(
    at('admission.yaml'),
    JSON.stringify({ apiVersion: group, kind: 'AdmissionConfiguration', plugins }),
  );
  return {
    extraArgs: { 'kube-apiserver': [`--admission-control-config-file=${at('admission.yaml')}`] },
    env: { NEXUSOS_CLIENT_CA_FILE: at('ca.crt') },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

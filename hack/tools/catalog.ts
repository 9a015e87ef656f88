// SPDX-License-Identifier: Apache-2.0

/**
 * One Go module under hack/tools, and what is built from it. A family has a module of its own because the
 * version demands of the programs clash.
 */
export interface Family {
  /** Folder name under hack/tools. */
  readonly name: string;
  /** The module in its go.mod whose version the programs tell. */
  readonly module: string;
  /** Linker flags; `version` is that module's, as go.mod has it (`v1.36.3`). */
  readonly linkerFlags: (version: string) => readonly string[];
}

/** One program: the Go package that holds its `main`. */
export interface Program {
  readonly family: Family;
  readonly package: string;
}

const stripped: readonly string[] = ['-s', '-w'];

const etcd: Family = {
  name: 'etcd',
  module: 'go.etcd.io/etcd/server/v3',
  linkerFlags: () => stripped,
};

const kubernetes: Family = {
  name: 'kubernetes',
  module: 'k8s.io/kubernetes',
  linkerFlags: kubernetesLinkerFlags,
};

const kwok: Family = {
  name: 'kwok',
  module: 'sigs.k8s.io/kwok',
  linkerFlags: () => stripped,
};

const helm: Family = {
  name: 'helm',
  module: 'helm.sh/helm/v4',
  linkerFlags: (version) => [...stripped, `-X helm.sh/helm/v4/internal/version.version=${version}`],
};

/** Compiles Rego to WebAssembly and runs its tests. It knows its version by itself. */
const opa: Family = {
  name: 'opa',
  module: 'github.com/open-policy-agent/opa',
  linkerFlags: () => stripped,
};

/** What images are kept in: a registry, as many run it, and a client of another maker that says whether ours is right. */
const registry: Family = {
  name: 'registry',
  module: 'github.com/distribution/distribution/v3',
  linkerFlags: (version) => [
    ...stripped,
    `-X github.com/distribution/distribution/v3/version.version=${version}`,
  ],
};

/** Signs images as users do, and is the second opinion of what we say of a signature. Only tests and benches run it. */
const cosign: Family = {
  name: 'cosign',
  module: 'github.com/sigstore/cosign/v3',
  linkerFlags: (version) => [...stripped, `-X sigs.k8s.io/release-utils/version.gitVersion=${version}`],
};

/** Every program we know how to build, in the order in which building is fastest: most shared work first. */
export const PROGRAMS = {
  etcd: { family: etcd, package: 'go.etcd.io/etcd/server/v3' },
  'kube-apiserver': { family: kubernetes, package: 'k8s.io/kubernetes/cmd/kube-apiserver' },
  'kube-controller-manager': { family: kubernetes, package: 'k8s.io/kubernetes/cmd/kube-controller-manager' },
  'kube-scheduler': { family: kubernetes, package: 'k8s.io/kubernetes/cmd/kube-scheduler' },
  kubectl: { family: kubernetes, package: 'k8s.io/kubernetes/cmd/kubectl' },
  kwok: { family: kwok, package: 'sigs.k8s.io/kwok/cmd/kwok' },
  helm: { family: helm, package: 'helm.sh/helm/v4/cmd/helm' },
  opa: { family: opa, package: 'github.com/open-policy-agent/opa' },
  registry: { family: registry, package: 'github.com/distribution/distribution/v3/cmd/registry' },
  crane: { family: registry, package: 'github.com/google/go-containerregistry/cmd/crane' },
  cosign: { family: cosign, package: 'github.com/sigstore/cosign/v3/cmd/cosign' },
} as const satisfies Record<string, Program>;

/** The name of a program in the catalog, which is also its file name. */
export type ProgramName = keyof typeof PROGRAMS;

/**
 * Without these a Kubernetes program calls itself v0.0.0, and clients (Helm first) misjudge what it can do.
 *
 * kubernetesLinkerFlags('v1.36.3') -> [..., '-X k8s.io/component-base/version.gitMinor=36']
 */
function kubernetesLinkerFlags(version: string): readonly string[] {
  const [major = '', minor = ''] = version.replace(/^v/, '').split('.');
  const variables = { gitVersion: version, gitMajor: major, gitMinor: minor };
  return [
    ...stripped,
    ...Object.entries(variables).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`),
  ];
}

// SPDX-License-Identifier: Apache-2.0

/** What bundles are called in registries. */
export const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

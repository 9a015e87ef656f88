// SPDX-License-Identifier: Apache-2.0

/** By a file of its own, so that a bundle takes of the library what reads kubeconfigs, and not its 15 MB of models. */
export { KubeConfig } from '@kubernetes/client-node';

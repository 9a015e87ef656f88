// SPDX-License-Identifier: Apache-2.0

/** A part of an image. */
export interface Component {
  readonly name: string;
  readonly purl: string;
  /** SPDX identifiers and expressions; empty where nothing is said. */
  readonly licences: readonly string[];
  /** Licences that it names and does not spell out: nobody can tell which they are. */
  readonly untold?: readonly string[];
}

/** A bill of materials, brought to one form. */
export interface Sbom {
  readonly format: string;
  readonly components: readonly Component[];
}

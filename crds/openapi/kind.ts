// SPDX-License-Identifier: Apache-2.0
import type { z } from 'zod';

/** A CEL rule of `x-kubernetes-validations`: what must hold, and what the user reads when it does not. */
export interface CelRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly fieldPath?: string;
  /** `oldSelf` is an optional value, and the rule holds at the creation as well. */
  readonly optionalOldSelf?: true;
  readonly reason?:
    | 'FieldValueInvalid'
    | 'FieldValueForbidden'
    | 'FieldValueRequired'
    | 'FieldValueDuplicate';
}

/** One column of `kubectl get`; priority 1 columns show with `-o wide` only. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date' | 'number';
  readonly jsonPath: string;
  readonly description: string;
  readonly priority?: number;
  readonly format?: string;
}

/** Everything there is to say about one kind. The CRD, the reference page and the types follow from it. */
export interface KindDescriptor {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly scope: 'Namespaced' | 'Cluster';
  readonly description: string;
  readonly spec: z.ZodType;
  /** Undefined for a kind that is a record: nothing is ever said about it. */
  readonly status?: z.ZodType;
  /** Rules over the whole object: `self.metadata.name` and `self.metadata.generateName` may be used. */
  readonly rules: readonly CelRule[];
  readonly columns: readonly PrinterColumn[];
  /** Paths of fields by which `--field-selector` selects, at most eight: `.status.phase`. */
  readonly selectableFields?: readonly string[];
}

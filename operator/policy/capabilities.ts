// SPDX-License-Identifier: Apache-2.0
import { HOST_BUILTINS } from './builtins/names.ts';

/** What the compiler itself has code for. None of it knows more than its arguments. */
const COMPILED_BUILTINS: readonly string[] = words(`
  assign eq equal neq gt gte lt lte internal.member_2 internal.member_3
  plus minus mul div rem abs round ceil floor numbers.range to_number
  bits.and bits.or bits.xor bits.negate bits.lsh bits.rsh
  and or set_diff intersection union count sum product max min sort all any
  array.concat array.flatten array.reverse array.slice
  is_array is_boolean is_null is_number is_object is_set is_string type_name
  base64.decode base64.encode base64.is_valid base64url.decode base64url.encode
  concat contains endswith format_int indexof lower replace split startswith
  strings.replace_n strings.reverse substring upper internal.template_string
  trim trim_left trim_prefix trim_right trim_space trim_suffix
  glob.match regex.match re_match regex.is_valid regex.find_all_string_submatch_n
  json.marshal json.unmarshal json.is_valid json.filter json.remove
  object.filter object.get object.keys object.remove object.union object.union_n
  graph.reachable walk net.cidr_contains net.cidr_overlap net.cidr_intersects
`);

/** Taken out while compiling: what is printed is for those who test, and of annotations only what they say is left. */
const ERASED_BUILTINS: readonly string[] = words(
  'print internal.print rego.metadata.chain rego.metadata.rule',
);

/**
 * The names of all builtins that packs may use, sorted: those that the compiler has code for, and those that their host gives them. None
 * reaches the network, the environment, chance, or a clock other than that of the request.
 */
export const CAPABILITIES: readonly string[] = [
  ...COMPILED_BUILTINS,
  ...ERASED_BUILTINS,
  ...HOST_BUILTINS,
].toSorted();

/** The part of what `opa capabilities --current` prints that is read here. */
export interface OpaCapabilities {
  readonly builtins: readonly { readonly name: string }[];
}

/**
 * What `opa build --capabilities` is to be given: opa's own list, of which only that is left which packs may use. Hosts that packages
 * may be fetched from are none.
 */
export function restrictCapabilities<T extends OpaCapabilities>(
  current: T,
): T & { readonly allow_net: readonly string[] } {
  const allowed = new Set(CAPABILITIES);
  return { ...current, builtins: current.builtins.filter(({ name }) => allowed.has(name)), allow_net: [] };
}

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

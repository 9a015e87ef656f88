// SPDX-License-Identifier: Apache-2.0

/** The builtins that modules are given by their host, sorted. Names alone: who only asks for them needs none of the code behind them. */
export const HOST_BUILTINS: readonly string[] = `
  base64url.encode_no_pad cast_array cast_boolean cast_null cast_object cast_set cast_string crypto.hmac.equal crypto.hmac.md5 crypto.hmac.sha1
  crypto.hmac.sha256 crypto.hmac.sha512 crypto.md5 crypto.sha1 crypto.sha256 glob.quote_meta graph.reachable_paths hex.decode hex.encode indexof_n
  io.jwt.decode json.patch net.cidr_contains_matches net.cidr_expand net.cidr_is_valid net.cidr_merge numbers.range_step object.subset opa.runtime
  regex.find_n regex.replace regex.split regex.template_match semver.compare semver.is_valid sprintf strings.any_prefix_match strings.any_suffix_match
  strings.count strings.split_n time.add_date time.clock time.date time.diff time.format time.now_ns time.parse_duration_ns time.parse_ns
  time.parse_rfc3339_ns time.weekday trace units.parse units.parse_bytes urlquery.decode urlquery.decode_object urlquery.encode urlquery.encode_object
  uuid.parse yaml.is_valid yaml.marshal yaml.unmarshal
`
  .trim()
  .split(/\s+/);

const KNOWN: ReadonlySet<string> = new Set(HOST_BUILTINS);

/** Whether a module may call this. */
export function isKnownBuiltin(name: string): boolean {
  return KNOWN.has(name);
}

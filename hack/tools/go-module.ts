// SPDX-License-Identifier: Apache-2.0

/**
 * The version that the text of a go.mod requires of `module`. Throws when it requires none, which
 * means that the catalog and the file have drifted apart.
 */
export function requiredVersion(goMod: string, module: string): string {
  for (const line of goMod.split('\n')) {
    const [path, version] = line
      .trim()
      .replace(/^require\s+/, '')
      .split(/\s+/);
    if (path === module && version !== undefined && /^v\d/.test(version)) {
      return version;
    }
  }
  throw new Error(`go.mod does not require ${module}`);
}

/** The `go` line of the text of a go.mod, such as `1.26.0`: the oldest Go that may build it. */
export function requiredGo(goMod: string): string {
  const version = /^go\s+(\S+)$/m.exec(goMod)?.[1];
  if (version === undefined) {
    throw new Error('go.mod has no go line');
  }
  return version;
}

/**
 * Whether Go release `have` (`go1.26.8`, `1.27rc1`) is at least `want` (`1.26.0`).
 * Pre-releases count as the release they precede: close enough to try.
 */
export function isGoAtLeast(have: string, want: string): boolean {
  const [haveParts, wantParts] = [numbers(have), numbers(want)];
  for (const [index, wanted] of wantParts.entries()) {
    const difference = (haveParts[index] ?? 0) - wanted;
    if (difference !== 0) {
      return difference > 0;
    }
  }
  return true;
}

function numbers(version: string): readonly number[] {
  const [, dotted = ''] = /(\d+(?:\.\d+)*)/.exec(version) ?? [];
  return dotted.split('.').map(Number);
}

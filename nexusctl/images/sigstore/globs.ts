// SPDX-License-Identifier: Apache-2.0
import type { DocumentReport } from './report.ts';

/** What the hosts of Docker Hub are called there. */
const DOCKER_HUB = /^(?:index|registry-1)\.docker\.io\//;
/** Globs that stand for something else than they say. */
const SPECIAL: Readonly<Record<string, string>> = {
  '*': 'index.docker.io/library/*',
  '*/*': 'index.docker.io/*/*',
};

/**
 * Which images a policy was about, by our patterns: names of repositories without tags, where one star stands for any text. What cannot be
 * said just so is said wider, never narrower.
 */
export function imagesOf(images: readonly unknown[], report: DocumentReport): readonly string[] {
  const found = images.flatMap((image, index) => {
    const field = `spec.images[${index}]`;
    const { glob, regex } = report.object(image, field, ['glob', 'regex']);
    if (regex !== undefined) {
      report.problem(`${field}.regex`, 'images are named by globs: write it as one');
      return [];
    }
    const text = report.text(glob, `${field}.glob`);
    if (text !== '') return globOf(text, `${field}.glob`, report);
    report.problem(`${field}.glob`, 'is needed');
    return [];
  });
  return [...new Set(found)];
}

function globOf(glob: string, field: string, report: DocumentReport): readonly string[] {
  if (glob.length > 255 || !/^[a-zA-Z0-9\-_:/*.]+$/.test(glob)) {
    report.problem(field, 'is no glob: letters, digits and - _ : / * . make one, at most 255');
    return [];
  }
  const whole = (SPECIAL[glob] ?? glob).toLowerCase();
  const name = withoutTag(whole, field, report);
  if (/(?<!\*)\*(?!\*)/.test(name)) {
    report.note(
      field,
      'a single * stands for any text here, also with slashes: the policy is about more images',
    );
  }
  const pattern = name.replaceAll(/\*+/g, '*').replace(DOCKER_HUB, 'docker.io/');
  const hub = onDockerHub(pattern);
  if (hub === undefined) return [pattern];
  report.note(field, `a name without a host is one of Docker Hub: ${hub}`);
  return [hub];
}

/** A colon after the last slash stands before a tag. Before the first it may stand before a port, and then nothing is cut off. */
function withoutTag(glob: string, field: string, report: DocumentReport): string {
  const slash = glob.lastIndexOf('/');
  const colon = glob.indexOf(':', slash + 1);
  if (colon === -1) return glob;
  // `host**:5000**`, or a port and a path that the stars stand for.
  if (slash === -1 && glob.slice(colon).includes('**')) return glob;
  if (!/^:\*{1,2}$/.test(glob.slice(colon))) {
    report.note(field, 'tags are not looked at: the policy is about all tags of what it names');
  }
  return glob.slice(0, colon);
}

/** What is no host is looked for at Docker Hub; undefined where the first part is a host, or a pattern that may be one. */
function onDockerHub(pattern: string): string | undefined {
  const [first = '', ...rest] = pattern.split('/');
  if (/[.:*]/.test(first) || first === 'localhost') return undefined;
  return rest.length === 0 ? `docker.io/library/${pattern}` : `docker.io/${pattern}`;
}

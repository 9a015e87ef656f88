// SPDX-License-Identifier: Apache-2.0
import { matchesGlob } from '#operator/core/policy/selector';
import type { DocumentReport } from './report.ts';

/** What Docker Hub is called there, and what policies are written with: a glob is tried on the name in full, and as it was written. */
const DOCKER_HUB = ['index.docker.io/', 'docker.io/'];
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
  const names = withoutTag(whole, field, report);
  if (names.some((name) => /(?<!\*)\*(?!\*)/.test(name))) {
    report.note(
      field,
      'a single * stands for any text here, also with slashes: the policy is about more images',
    );
  }
  const ofHosts = names.filter(mayNameHost);
  const ofHub = names.flatMap(onDockerHub);
  const patterns = widest([...ofHosts, ...ofHub].map((one) => one.replaceAll(/\*+/g, '*')));
  const hub = patterns.filter((one) => one.startsWith('docker.io/'));
  if (hub.length > 0 && !DOCKER_HUB.some((host) => whole.startsWith(host))) {
    report.note(field, `a name without a host is one of Docker Hub: ${hub.join(', ')}`);
  }
  return patterns;
}

/**
 * A colon after the last slash stands before a tag. Before the first it may also stand before a port, `host**:5000**`: then it is both, and
 * so is what may have either.
 */
function withoutTag(glob: string, field: string, report: DocumentReport): readonly string[] {
  const slash = glob.lastIndexOf('/');
  const colon = glob.indexOf(':', slash + 1);
  if (colon === -1) return [glob];
  const name = glob.slice(0, colon);
  if (!/^:\*{1,2}$/.test(glob.slice(colon))) {
    report.note(field, 'tags are not looked at: the policy is about all tags of what it names');
  }
  return slash === -1 && glob.slice(colon).includes('**') ? [glob, name] : [name];
}

/** Whether a glob can match a name with a host in it that is not of Docker Hub. */
function mayNameHost(glob: string): boolean {
  const [host = '', ...rest] = glob.split('/');
  if (rest.length === 0) return glob.includes('**');
  if (host.includes('*')) return true;
  return (/[.:]/.test(host) || host === 'localhost') && !DOCKER_HUB.includes(`${host}/`);
}

/** Our patterns for all of Docker Hub that a glob matches, by any name of it. */
function onDockerHub(glob: string): readonly string[] {
  const named = DOCKER_HUB.flatMap((host) => restsOf(glob, host)).flatMap(repositoriesOf);
  // What has no host is looked for at Docker Hub.
  return isOfHost(glob) ? named : [...named, ...repositoriesOf(glob)];
}

/** Whether what a glob matches begins with a host. Without a slash there is none: `localhost` is an image. */
function isOfHost(glob: string): boolean {
  const [first = '', ...rest] = glob.split(/\/|\*\*/);
  return rest.length > 0 && (/[.:]/.test(first) || glob.startsWith('localhost/'));
}

/** A repository without a slash is one of `library`. Two stars may stand for a slash. */
function repositoriesOf(path: string): readonly string[] {
  const [name = ''] = path.includes('/') ? [path] : path.split(':');
  const long = name.includes('/') || name.includes('**') ? [`docker.io/${name}`] : [];
  return name.includes('/') || name === '' ? long : [...long, `docker.io/library/${name}`];
}

/** What of a glob is left when a text that it begins with is taken away: several, as a star may end anywhere in it. */
function restsOf(glob: string, text: string): readonly string[] {
  let rests = past(glob);
  for (const character of text) {
    rests = [...new Set(rests.flatMap((rest) => afterOne(rest, character)))];
  }
  return rests;
}

/** A glob, and what it is when the stars that it begins with stand for nothing. */
function past(glob: string): readonly string[] {
  const stars = /^\*{1,2}/.exec(glob)?.[0].length ?? 0;
  return stars === 0 ? [glob] : [glob, ...past(glob.slice(stars))];
}

function afterOne(glob: string, character: string): readonly string[] {
  if (glob.startsWith('**') || (glob.startsWith('*') && character !== '/')) return past(glob);
  return glob.startsWith(character) ? past(glob.slice(1)) : [];
}

/** Patterns without those that others say as well. */
function widest(patterns: readonly string[]): readonly string[] {
  const all = [...new Set(patterns)];
  return all.filter((one) => !all.some((other) => other !== one && matchesGlob(other, one)));
}

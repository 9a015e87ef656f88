// SPDX-License-Identifier: Apache-2.0
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { MAX_PACK_NAME } from '#crds/v1alpha1/policy-pack';
import { argumentAt, type Call, type Command, CommandError, EXIT, type Outcome } from '../cli/command.ts';

/** `nexusctl pack init FOLDER`. */
export const INIT: Command = {
  path: ['pack', 'init'],
  summary: 'makes a folder with a first rule, its tests, and a place for each kind of rule',
  about: 'The folder must be empty, or not be there. What it makes passes `nexusctl pack test`.',
  args: [{ name: 'FOLDER', what: 'the last part of its path becomes the name of the pack' }],
  flags: [],
  examples: ['pack init image-tags'],
  run: init,
};

const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** Refuses what a cluster would not take as the name of a pack. */
export function requirePackName(name: string): void {
  if (NAME.test(name) && name.length <= MAX_PACK_NAME) return;
  throw new CommandError(
    EXIT.usage,
    `${name} is no name of a pack: at most ${MAX_PACK_NAME} of a-z, 0-9 and -, - neither first nor last`,
  );
}

async function init(call: Call): Promise<Outcome> {
  const folder = resolve(call.cwd, argumentAt(call, 0));
  const name = basename(folder);
  requirePackName(name);
  const there = await readdir(folder).catch(() => []);
  if (there.length > 0) throw new CommandError(EXIT.usage, `${folder} is not empty`);
  const files = skeleton(name);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const paths = Object.keys(files).toSorted();
  const next = `Next: nexusctl pack test ${argumentAt(call, 0)}`;
  return { code: EXIT.ok, value: { folder, files: paths }, before: paths, after: ['', next] };
}

function skeleton(name: string): Readonly<Record<string, string>> {
  return {
    'manifest.yaml': manifest(name),
    'images.rego': RULE,
    'tests/images_test.rego': TEST,
    'cases/images.yaml': CASES,
    'abac/README.md': readme('abac', 'allow', 'whether the request may be made: true or false'),
    'residency/README.md': readme('residency', 'regions', 'the regions that are allowed, a set of names'),
    'dlp/README.md': readme(
      'dlp',
      'dlp',
      'what detectors found: a set of {"detector", "action", "path", "msg"}, action being allow, log, redact or block',
    ),
    'disclosures/README.md': readme(
      'disclosures',
      'disclosures',
      'what users have to be told, a set of texts',
    ),
  };
}

/** The manifest is a PolicyPack without its source, which is the folder. */
const manifest = (name: string): string => `apiVersion: nexusos.dev/v1alpha1
kind: PolicyPack
metadata:
  name: ${name}
spec:
  version: 0.1.0
  enforcement: Deny
  binding:
    rules:
      - { apiGroups: [""], resources: [pods], operations: [CREATE, UPDATE] }
  parameters:
    forbiddenTags: [latest]
  tests:
    minCoveragePercent: 80
`;

const RULE = `# What no image may be named by is in the parameters of the pack.
package images

deny contains finding if {
	some i, container in input.review.object.spec.containers
	some tag in input.parameters.forbiddenTags
	endswith(container.image, concat("", [":", tag]))
	finding := {
		"msg": sprintf("container %s has the image %s: name a version or a digest", [container.name, container.image]),
		"field": sprintf("spec.containers[%d].image", [i]),
	}
}
`;

const TEST = `package images_test

import data.images

pod(image) := {
	"parameters": {"forbiddenTags": ["latest"]},
	"review": {"object": {"spec": {"containers": [{"name": "web", "image": image}]}}},
}

test_a_version_passes if count(images.deny) == 0 with input as pod("registry.example/web:1.2.3")

test_latest_is_denied if {
	some finding in images.deny with input as pod("registry.example/web:latest")
	finding.field == "spec.containers[0].image"
}
`;

const CASES = `# Each document is asked as a request to the API server would be; want is Allowed, Warned, Denied or NotBound.
name: a version passes
want: Allowed
object:
  apiVersion: v1
  kind: Pod
  metadata: { name: web, namespace: acme-dev }
  spec: { containers: [{ name: web, image: "registry.example/web:1.2.3" }] }
---
name: latest is denied, and the field is named
want: Denied
messages: ["container web has the image registry.example/web:latest", "spec.containers[0].image"]
object:
  apiVersion: v1
  kind: Pod
  metadata: { name: web, namespace: acme-dev }
  spec: { containers: [{ name: web, image: "registry.example/web:latest" }] }
---
name: other kinds are not asked about
want: NotBound
object: { apiVersion: v1, kind: Service, metadata: { name: web, namespace: acme-dev } }
`;

function readme(folder: string, rule: string, what: string): string {
  return `Rules in package \`${folder}\`, or below it. Rule \`${rule}\` says ${what}.\n`;
}

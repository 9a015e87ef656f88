// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { IMAGE_POLICY_REASONS } from '#crds/v1alpha1/image-policy';
import { KINDS } from '#crds/v1alpha1/index';
import { REFUSALS, UNKNOWNS } from '#operator/core/supply-chain/judgement';
import { generatedFiles } from '../generate/all.ts';
import { differences } from '../generate/file.ts';
import { readReasons } from '../generate/reference/reasons.ts';
import { type Check, problems } from './check.ts';
import { COMMANDS, commandCheck } from './commands.ts';
import { commandProblems } from './docs-commands.ts';
import { linkProblems, missingReasons, yamlProblems } from './docs.ts';
import { importProblems } from './import-rules.ts';
import { operatorProblems } from './operator-rules.ts';
import { readTexts, repositoryFiles } from './repository.ts';
import { checkSizes } from './sizes.ts';
import { readSourceFiles, type SourceFile } from './source-files.ts';
import { commentProblems, headerProblems } from './source-rules.ts';

/** Everything that `npm run verify` holds the repository at `root` to: what writes nothing, in a fixed order. */
export function checksOf(root: string): readonly Check[] {
  const paths = repositoryFiles(root);
  let sources: readonly SourceFile[] | undefined;
  // Parsed once, and only when the first check asks: code that does not compile is for `types` to tell.
  const parsed = (): readonly SourceFile[] => (sources ??= readSourceFiles(root));
  return [
    ...COMMANDS.map((command) => commandCheck(root, command)),
    {
      name: 'imports',
      run: () => problems(parsed().flatMap((file) => importProblems(file.path, file.imports))),
    },
    { name: 'network and time', run: () => problems(operatorProblems(parsed())) },
    { name: 'generated files', run: () => generatedCheck(root) },
    {
      name: 'licence lines',
      run: () => problems(headerProblems(readTexts(root, paths, ['.ts', '.mjs', '.sh']))),
    },
    { name: 'doc comments', run: () => problems(commentProblems(parsed())) },
    { name: 'sizes', run: () => checkSizes(parsed()) },
    { name: 'documentation', run: () => problems(documentationProblems(root, paths)) },
  ];
}

async function generatedCheck(root: string) {
  const found = await differences(root, await generatedFiles(root));
  return problems(found.map(({ path, kind }) => `${path}: ${kind}; run npm run generate`));
}

/** Reasons that are told of a kind and are not in a file of its name, by the page of the kind. */
const TOLD_ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  clusterimagepolicy: Object.keys(IMAGE_POLICY_REASONS),
  imageverdict: [...Object.keys(REFUSALS), ...Object.keys(UNKNOWNS)],
};

function documentationProblems(root: string, paths: readonly string[]): readonly string[] {
  const pages = readTexts(root, paths, ['.md']);
  const samples = readTexts(
    root,
    paths.filter((path) => path.startsWith('crds/samples/')),
    ['.yaml'],
  );
  const told = [
    ...readReasons(root).map(
      ({ title, reasons }) => [title.toLowerCase(), reasons.map(({ name }) => name)] as const,
    ),
    ...Object.entries(TOLD_ELSEWHERE),
  ];
  const specs = told.flatMap(([kind, reasons]) => {
    const page = pages.find((one) => one.path === `docs/spec/v1alpha1/${kind}.md`);
    return page === undefined ? [] : missingReasons(page, reasons);
  });
  return [
    ...linkProblems(pages, (path) => existsSync(join(root, path))),
    ...yamlProblems([...pages, ...samples], KINDS),
    ...commandProblems(pages, KINDS),
    ...specs,
  ];
}

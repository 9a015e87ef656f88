// SPDX-License-Identifier: Apache-2.0
// `node hack/bootstrap.mjs <script.ts> [arguments]`: what every npm script begins with. Whatever Node the
// machine has (20 or newer), it installs the locked packages when they are missing or stale and then runs
// the script on the Node among them. The only program here in plain JavaScript and without a dependency: it
// runs before there is anything else.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const oldestNode = 20;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const stampPath = join(modules, '.nexusos-lock-hash');
const lockPath = join(root, '.nexusos', 'install.lock');
/** A lock is whole from its beginning, so one that cannot be read is of nobody. Long enough for other clocks. */
const unreadableLockMs = 5000;
const parentCheckMs = 1000;
// Known from the beginning: they may be gone before the packages are installed.
const ancestors = JSON.stringify(readAncestors());

/** Says what is wrong and how to mend it, and ends. */
function fail(message) {
  process.stderr.write(`nexusos: ${message}\n`);
  process.exit(1);
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function wantedStamp() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

/** Whether every package of the lock file is there in its version: true too after a plain `npm install`. */
function matchesLockFile() {
  const installed = readText(join(modules, '.package-lock.json'));
  if (installed === undefined) {
    return false;
  }
  const have = JSON.parse(installed).packages;
  const want = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(want).every(
    ([path, { version, optional }]) => path === '' || optional === true || have[path]?.version === version,
  );
}

function isInstalled() {
  if (!existsSync(pinnedNode())) {
    return false;
  }
  const stamp = wantedStamp();
  if (readText(stampPath) === stamp) {
    return true;
  }
  if (!matchesLockFile()) {
    return false;
  }
  writeFileSync(stampPath, stamp);
  return true;
}

function pinnedNode() {
  return join(modules, 'node', 'bin', 'node');
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** The fields of /proc/<pid>/stat from the state on; undefined where there is none. The name before them may hold spaces. */
function readStat(pid) {
  const stat = readText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Tells a process from a later one with the same number: when it began. Undefined where that cannot be known. */
function startOf(pid) {
  const ticks = readStat(pid)?.[19];
  if (ticks !== undefined) {
    return `${readText('/proc/sys/kernel/random/boot_id')?.trim()}/${ticks}`;
  }
  const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout?.trim() || undefined;
}

/** Takes the lock file, which names its owner; false when another process has it. */
function tryLock() {
  const ours = `${lockPath}.${process.pid}`;
  writeFileSync(ours, JSON.stringify({ pid: process.pid, startedAt: startOf(process.pid) }));
  try {
    // Whole or not at all, whenever we are killed.
    linkSync(ours, lockPath);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') {
      throw error;
    }
    return false;
  } finally {
    rmSync(ours, { force: true });
  }
}

/** The pid that the text of a lock names, while that very process runs; otherwise undefined. */
function liveOwner(text) {
  try {
    const { pid, startedAt } = JSON.parse(text);
    return Number.isInteger(pid) && isRunning(pid) && startOf(pid) === startedAt ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the lock that holds `text` is of nobody. */
function isDead(text) {
  if (text === undefined || liveOwner(text) !== undefined) {
    return false;
  }
  const isReadable = text.startsWith('{');
  const age = Date.now() - (statSync(lockPath, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  return isReadable || age > unreadableLockMs;
}

/**
 * Puts a lock aside whose owner was killed. Renaming decides between two that try at once; who finds that
 * it took away a lock of somebody alive puts it back.
 */
function removeDeadLock() {
  const text = readText(lockPath);
  if (!isDead(text)) {
    return;
  }
  const aside = `${lockPath}.${process.pid}`;
  try {
    renameSync(lockPath, aside);
  } catch {
    return;
  }
  if (readText(aside) === text) {
    rmSync(aside, { force: true });
  } else {
    renameSync(aside, lockPath);
  }
}

function tellOfWaiting() {
  const owner = liveOwner(readText(lockPath));
  const who = owner === undefined ? 'another process' : `process ${owner}`;
  process.stderr.write(`nexusos: waiting for ${who}, which installs packages (it holds ${lockPath})\n`);
}

async function withLock(work) {
  mkdirSync(dirname(lockPath), { recursive: true });
  for (let told = false; !tryLock(); ) {
    removeDeadLock();
    if (!told && existsSync(lockPath)) {
      tellOfWaiting();
      told = true;
    }
    await delay(200);
  }
  const release = () => rmSync(lockPath, { force: true });
  process.once('exit', release);
  try {
    work();
  } finally {
    release();
    process.off('exit', release);
  }
}

/** npm's own program when npm runs us, else the one on PATH. */
function npmCommand() {
  const running = process.env.npm_execpath;
  return running !== undefined && /npm-cli\.c?js$/.test(running) ? [process.execPath, running] : ['npm'];
}

function works([program, ...first], args) {
  return spawnSync(program, [...first, ...args], { stdio: 'ignore' }).status === 0;
}

function checkPrerequisites() {
  const missing = [
    works(npmCommand(), ['--version']) ? [] : ['npm (it comes with Node from https://nodejs.org)'],
    works(['git'], ['--version']) ? [] : ['git (https://git-scm.com/downloads, or your package manager)'],
  ].flat();
  if (missing.length > 0) {
    fail(`not found on PATH: ${missing.join('; ')}. Install what is missing and try again.`);
  }
}

function install() {
  if (isInstalled()) {
    return;
  }
  checkPrerequisites();
  process.stderr.write('nexusos: installing the locked packages (npm ci)\n');
  const [program, ...first] = npmCommand();
  // The packages ask for the Node that is among them, not for the one that installs them: no warnings about that.
  const args = [...first, 'ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) {
    fail(`npm ci ended with ${status}; its messages are above. Mend what they name and try again.`);
  }
  if (!existsSync(pinnedNode())) {
    fail(
      'npm ci left out the Node it should bring. Are install scripts switched off (npm config get ignore-scripts)?',
    );
  }
  writeFileSync(stampPath, wantedStamp());
}

/** Runs the script; our end is its end, and its end is ours. */
function run(args) {
  const child = spawn(pinnedNode(), args, { cwd: root, stdio: 'inherit' });
  // A terminal sends Ctrl-C to both of us; sent on, the script would see it twice.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGHUP', () => child.kill('SIGHUP'));
  endWithNpm(child);
  child.once('error', (error) => fail(`cannot run ${pinnedNode()}: ${error.message}`));
  child.once('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

/** The parent and its parent: npm may run us itself, or through a shell that outlives it. */
function readAncestors() {
  const parent = process.ppid;
  return [parent, readStat(parent)?.[1]];
}

/** npm that was killed cannot tell us: then the script is asked to end. */
function endWithNpm(child) {
  if (process.env.npm_lifecycle_event === undefined) {
    return;
  }
  const check = setInterval(() => {
    if (JSON.stringify(readAncestors()) !== ancestors) {
      clearInterval(check);
      child.kill('SIGTERM');
    }
  }, parentCheckMs);
  check.unref();
}

const [script, ...rest] = process.argv.slice(2);
if (script === undefined) {
  fail('usage: node hack/bootstrap.mjs <script.ts> [arguments]');
}
if (Number(process.versions.node.split('.')[0]) < oldestNode) {
  fail(
    `Node ${process.versions.node} is too old. Install Node ${oldestNode} or newer from https://nodejs.org and try again.`,
  );
}
if (!isInstalled()) {
  await withLock(install);
}
run([script, ...rest]);

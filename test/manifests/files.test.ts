/** What a folder may hold that is no honest file: links, devices, pipes, and what is too large. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readFiles, readText } from '../../src/manifests/files.ts'
import { hitless } from '../cli/commands.ts'

const SERVICE = 'apiVersion: v1\nkind: Service\nmetadata: {name: a}\n'

/** The codes of the errors, and how many files were read. */
function outcome(...paths: string[]): string {
  const { files, errors } = readFiles(paths, () => '')
  return [...errors.map(({ code }) => code), `${files.length} read`].join(', ')
}

t.test('a link may lead to a file below the named folder, and nowhere else', async (t) => {
  const folder = t.testdir({ mesh: { sub: { 'a.yaml': SERVICE } }, 'outside.yaml': SERVICE, outside: { 'b.yaml': SERVICE } })
  const mesh = join(folder, 'mesh')
  symlinkSync(join('sub', 'a.yaml'), join(mesh, 'inside.yaml'))
  t.equal(outcome(mesh), '2 read')
  symlinkSync(join('..', 'outside.yaml'), join(mesh, 'outside.yaml'))
  t.equal(outcome(mesh), 'HITLESS_LINK, 2 read')
  t.equal(outcome(join(mesh, 'outside.yaml')), 'HITLESS_LINK, 0 read')
  symlinkSync(join('..', 'outside'), join(mesh, 'folder'))
  t.equal(outcome(join(mesh, 'folder')), 'HITLESS_LINK, 0 read')
  t.equal(outcome(join(mesh, 'folder', 'b.yaml')), 'HITLESS_LINK, 0 read', 'on the way too')
  symlinkSync('sub', join(mesh, 'current'))
  t.equal(outcome(join(mesh, 'current')), '1 read', 'further down is right')
})

t.test('a ConfigMap in a Pod is read once, and nothing hides behind links like its own', async (t) => {
  const folder = t.testdir({ mounted: { '..2026': { 'a.yaml': SERVICE, 'b.yaml': SERVICE } }, outside: { 'b.yaml': SERVICE } })
  const mounted = join(folder, 'mounted')
  symlinkSync('..2026', join(mounted, '..data'))
  for (const name of ['a.yaml', 'b.yaml']) symlinkSync(join('..data', name), join(mounted, name))
  t.equal(outcome(mounted), '2 read')
  const hostile = t.testdir({ mesh: { sub: { 'a.txt': SERVICE } }, outside: { 'b.yaml': SERVICE } })
  symlinkSync('../outside', join(hostile, 'mesh', '..data'))
  symlinkSync('..data/b.yaml', join(hostile, 'mesh', 'b.yaml'))
  t.equal(outcome(join(hostile, 'mesh')), 'HITLESS_LINK, 0 read')
})

/** What a branch can bring as `x.yaml`, and the code that it meets. */
const LINKS: Readonly<Record<string, string>> = {
  '/dev/zero': 'HITLESS_LINK',
  '/proc/self/environ': 'HITLESS_LINK',
  '/etc/passwd': 'HITLESS_LINK',
  'x.yaml': 'HITLESS_UNREADABLE',
  'nowhere.yaml': 'HITLESS_UNREADABLE',
  '.': 'HITLESS_NO_FILE'
}
for (const [target, code] of Object.entries(LINKS)) {
  t.test(`a link to ${target} ends with ${code}, and the others are read`, async (t) => {
    const folder = t.testdir({ 'a.yaml': SERVICE })
    symlinkSync(target, join(folder, 'x.yaml'))
    t.equal(outcome(folder), `${code}, 1 read`)
    t.match(await hitless(['check', folder]), { exit: 2, out: /^1 write: / })
  })
}

t.test('a pipe in a folder is no file, and nobody waits for it', async (t) => {
  const folder = t.testdir({ 'a.yaml': SERVICE })
  execFileSync('mkfifo', [join(folder, 'x.yaml')])
  t.equal(outcome(folder), 'HITLESS_NO_FILE, 1 read')
})

t.test('a device is not read, even where it is named', async (t) => {
  t.equal(outcome('/dev/zero', '/dev/null'), 'HITLESS_NO_FILE, HITLESS_NO_FILE, 0 read')
  t.throws(() => readText('/dev/zero'), { code: 'HITLESS_NO_FILE' })
})

t.test('a file that is too large is an error before it is read, and so is a pipe that does not end', async (t) => {
  const folder = t.testdir({ 'a.yaml': SERVICE })
  execFileSync('truncate', ['-s', '8G', join(folder, 'huge.yaml')])
  t.equal(outcome(folder), 'HITLESS_FILE_SIZE, 1 read')
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const writer = spawn('sh', ['-c', `exec cat /dev/zero > ${pipe}`])
  t.equal(outcome(pipe), 'HITLESS_FILE_SIZE, 0 read')
  writer.kill()
})

t.test('so many files that they are too much together', async (t) => {
  const folder = t.testdir({})
  for (let at = 0; at < 6; at++) execFileSync('truncate', ['-s', '50M', join(folder, `${at}.yaml`)])
  t.equal(outcome(folder), 'HITLESS_FILE_SIZE, 5 read')
})

t.test("the output of a command, as a shell names it, and UTF-16, as Windows' shells write it", async (t) => {
  const folder = t.testdir({})
  mkdirSync(join(folder, 'mesh'))
  writeFileSync(join(folder, 'mesh', 'a.yaml'), Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(SERVICE, 'utf16le')]))
  t.match(await hitless(['check', join(folder, 'mesh')]), { exit: 0, out: /^1 write/ })
  const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
  const shell = `cat ${join(folder, 'mesh', 'a.yaml')} | ${process.execPath} ${main} check /dev/stdin; ${process.execPath} ${main} check <(echo '${SERVICE}')`
  t.equal(execFileSync('bash', ['-c', shell]).toString(), '1 write: 0 would be denied, 0 with warnings\n'.repeat(2))
})

/** What whoever wrote the checked files may try with `check --base-git`: to run a command, to choose the base, to read what is not theirs. */
import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hitless } from '../cli/commands.ts'
import { destinationRule, guide, type Manifest } from '../manifests.ts'

// Too long for the group `fast`.
t.setTimeout(900_000)

const AUTHOR = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false', '-c', 'init.defaultBranch=main']

/** A repository with the guide's world in `mesh`, and a program that leaves a mark where it runs. */
function repository(folder: string) {
  const work = join(folder, 'work')
  const mesh = join(work, 'mesh')
  mkdirSync(mesh, { recursive: true })
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', work, ...AUTHOR, ...args], { stdio: 'pipe' })
      .toString()
      .trim()
  const put = (manifest: Manifest) =>
    writeFileSync(join(mesh, `${manifest.kind}-${String(manifest.metadata['name'])}.yaml`), JSON.stringify(manifest))
  for (const manifest of guide()) put(manifest)
  git('init', '--quiet')
  git('add', '.')
  git('commit', '--quiet', '-m', 'world')
  const mark = join(folder, 'ran')
  const program = join(folder, 'program')
  writeFileSync(program, `#!/bin/sh\ntouch ${mark}\nexit 1\n`)
  chmodSync(program, 0o755)
  return { work, mesh, put, git, program, ran: () => existsSync(mark) }
}

/** Everything in a configuration that makes git run or ask somebody. */
const COMMANDS = (program: string) => `
[core]
  repositoryformatversion = 1
  bare = true
  fsmonitor = ${program}
  sshCommand = ${program}
  pager = ${program}
  hooksPath = ${join(program, '..')}
  askPass = ${program}
  alternateRefsCommand = ${program}
[extensions]
  partialClone = origin
[remote "origin"]
  url = ssh://nobody.invalid/x
  promisor = true
  uploadpack = ${program}
[protocol]
  allow = always
[protocol "ssh"]
  allow = always
[protocol "file"]
  allow = always
[protocol "ext"]
  allow = always
[filter "x"]
  smudge = ${program}
  clean = ${program}
[diff "x"]
  textconv = ${program}
[alias]
  ls-tree = !${program}
  cat-file = !${program}
[credential]
  helper = ${program}
`

t.test('a checked folder that looks like a bare repository is none', async (t) => {
  const { mesh, put, git, work, program, ran } = repository(t.testdir())
  cpSync(join(work, '.git'), mesh, { recursive: true })
  appendFileSync(join(mesh, 'config'), COMMANDS(program))
  rmSync(join(mesh, 'objects'), { recursive: true })
  mkdirSync(join(mesh, 'objects'))
  put(destinationRule(['v2']))
  git('add', '-A')
  git('commit', '--quiet', '-m', 'looks like a repository')
  put(destinationRule(['v2', 'v3']))
  const { exit, out } = await hitless(['check', mesh, '--base-git', 'HEAD~1', '--as', 'flux'])
  t.equal(exit, 1, 'the base is the commit of the repository around it')
  t.match(out, '[subset-in-use]')
  t.equal(ran(), false)
})

t.test('no configuration makes git run a command, nor what a partial clone has not make it ask', async (t) => {
  const { mesh, work, program, ran, put } = repository(t.testdir())
  appendFileSync(join(work, '.git', 'config'), COMMANDS(program).replace('bare = true', ''))
  writeFileSync(join(work, '.gitattributes'), '* filter=x diff=x\n')
  put(destinationRule(['v2']))
  t.match(await hitless(['check', mesh, '--base-git', 'HEAD', '--as', 'flux']), { exit: 1, out: /subset-in-use/ })
  for (const url of ['ssh://nobody.invalid/x', work, `ext::${program}`, `file://${work}`]) {
    execFileSync('git', ['-C', work, 'config', 'remote.origin.url', url])
    const tree = execFileSync('git', ['-C', work, 'rev-parse', 'HEAD:mesh']).toString().trim()
    const object = join(work, '.git', 'objects', tree.slice(0, 2), tree.slice(2))
    rmSync(object, { force: true })
    const { exit, err } = await hitless(['check', mesh, '--base-git', 'HEAD'])
    t.equal(exit, 2, url)
    t.match(err, /HITLESS_GIT/)
    t.equal(ran(), false, url)
  }
})

t.test('the repository is the one around the files, whatever hooks of git say by the environment', async (t) => {
  const { mesh, put, program, ran } = repository(t.testdir({ elsewhere: {} }))
  const elsewhere = join(mesh, '..', '..', 'elsewhere')
  execFileSync('git', ['-C', elsewhere, 'init', '--quiet'])
  put(destinationRule(['v2']))
  const env = { GIT_DIR: join(elsewhere, '.git'), GIT_SSH_COMMAND: program, GIT_EXEC_PATH: elsewhere, PATH: process.env['PATH'] }
  const { exit, out, err } = await hitless(['check', mesh, '--base-git', 'HEAD', '--as', 'flux'], { env })
  t.equal(exit, 1, err)
  t.match(out, '[subset-in-use]')
  t.equal(ran(), false)
})

t.test('a tag named like the base is not taken for it', async (t) => {
  const { mesh, git } = repository(t.testdir())
  git('update-ref', 'refs/remotes/origin/main', 'HEAD')
  git('tag', 'origin/main', 'HEAD')
  const { exit, err } = await hitless(['check', mesh, '--base-git', 'origin/main'])
  t.equal(exit, 2)
  t.match(err, /origin\/main is ambiguous: name it in full, as refs\/remotes\/origin\/main.*\[HITLESS_GIT\]/)
  t.equal((await hitless(['check', mesh, '--base-git', 'refs/remotes/origin/main'])).exit, 0)
})

t.test('an option in place of a commit is none', async (t) => {
  const { mesh } = repository(t.testdir())
  for (const ref of ['--output=x', '-h', 'HEAD\n--help', 'HEAD\0', '--end-of-options']) {
    t.match(await hitless(['check', mesh, `--base-git=${ref}`]), { exit: 2, err: /is no commit \[HITLESS_USAGE\]/ })
  }
  for (const ref of ['HEAD:mesh', '@{upstream}', 'HEAD^{tree}']) {
    t.match(await hitless(['check', mesh, `--base-git=${ref}`]), { exit: 2, err: /\[HITLESS_GIT\]/ })
  }
})

t.test('a link of the commit gives what it leads to in the commit, and nothing of this machine', async (t) => {
  const { mesh, git, put, work } = repository(t.testdir({ secret: 'kind: Secret' }))
  mkdirSync(join(work, 'shared'))
  writeFileSync(join(work, 'shared', 'rule.yaml'), JSON.stringify(destinationRule(['v1', 'v2'])))
  rmSync(join(mesh, 'DestinationRule-helloworld.yaml'))
  symlinkSync('../shared/rule.yaml', join(mesh, 'rule.yaml'))
  symlinkSync('../../secret', join(mesh, 'secret.yaml'))
  symlinkSync('loop.yaml', join(mesh, 'loop.yaml'))
  symlinkSync('/dev/zero', join(mesh, 'zero.yaml'))
  symlinkSync('../shared', join(mesh, 'folder.yaml'))
  git('add', '-A')
  git('commit', '--quiet', '-m', 'links')
  for (const name of ['rule', 'secret', 'loop', 'zero', 'folder']) rmSync(join(mesh, `${name}.yaml`))
  put(destinationRule(['v2']))
  const { exit, out, err } = await hitless(['check', mesh, '--base-git', 'HEAD', '-o', 'json'])
  t.equal(err, '')
  t.equal(exit, 1)
  t.match(out, /"object": "DestinationRule default\/helloworld",\s*"operation": "UPDATE",\s*"verdict": "deny"/)
})

t.test('a submodule is said, not taken for an empty base', async (t) => {
  const { work, git, mesh } = repository(t.testdir())
  const commit = git('rev-parse', 'HEAD')
  git('update-index', '--add', '--cacheinfo', `160000,${commit},other`)
  git('commit', '--quiet', '-m', 'submodule')
  mkdirSync(join(work, 'other'))
  t.match(await hitless(['check', join(work, 'other'), '--base-git', 'HEAD']), { exit: 2, err: /is a submodule.*\[HITLESS_GIT\]/ })
  t.match(await hitless(['check', mesh, '--base-git', 'HEAD']), { exit: 0 })
})

t.test('a huge file of the commit is an error, and its size is known before it is read', async (t) => {
  const { mesh, git } = repository(t.testdir())
  const huge = join(mesh, 'huge.yaml')
  execFileSync('truncate', ['-s', '100M', huge])
  git('add', '-A')
  git('commit', '--quiet', '-m', 'huge')
  rmSync(huge)
  t.match(await hitless(['check', mesh, '--base-git', 'HEAD']), { exit: 2, err: /mesh\/huge\.yaml.*\[HITLESS_FILE_SIZE\]/ })
})

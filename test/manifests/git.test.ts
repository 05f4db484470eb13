/** `hitless check --base-git`: what a branch changes, judged onto what it came from. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hitless } from '../cli/commands.ts'
import { destinationRule, guide, type Manifest, rule, to, virtualService } from '../manifests.ts'

const AUTHOR = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false', '-c', 'init.defaultBranch=main']

/** A repository whose first commit holds the guide's world, a file for each object. */
function repository(folder: string) {
  const git = (...args: string[]) => execFileSync('git', ['-C', folder, ...AUTHOR, ...args], { stdio: 'pipe' })
  const put = (manifest: Manifest, name = `${manifest.kind}-${String(manifest.metadata['name'])}.yaml`) =>
    writeFileSync(join(folder, 'mesh', name), JSON.stringify(manifest, null, 2))
  mkdirSync(join(folder, 'mesh'))
  for (const manifest of guide()) put(manifest)
  writeFileSync(join(folder, 'mesh', 'README.md'), 'no manifest: {')
  git('init', '--quiet')
  git('add', '.')
  git('commit', '--quiet', '-m', 'world')
  return { mesh: join(folder, 'mesh'), put, git }
}

const LINE = /^\d+ writes?: .*$/m

t.test('what a branch changes is judged onto the commit', async (t) => {
  const { mesh, put } = repository(t.testdir())
  t.match(await hitless(['check', mesh, '--base-git', 'HEAD']), { exit: 0, out: '6 writes: 0 would be denied, 0 with warnings\n' })
  put(destinationRule(['v2']))
  const { exit, out } = await hitless(['check', mesh, '--base-git', 'HEAD', '--as', 'flux'])
  t.equal(exit, 1)
  t.match(out, `${mesh}/DestinationRule-helloworld.yaml:`)
  t.match(out, '[subset-in-use]')
})

t.test('what it deletes is judged in the order of the tool', async (t) => {
  const { mesh, put } = repository(t.testdir())
  put(virtualService([rule([to('v2')])]))
  rmSync(join(mesh, 'Deployment-helloworld-v1.yaml'))
  const verdict = async (...args: string[]) => (await hitless(['check', mesh, '--base-git', 'HEAD', ...args])).out.match(LINE)?.[0]
  t.equal(await verdict('--as', 'argocd'), '5 writes: 0 would be denied, 0 with warnings', 'nothing is deleted unless it prunes')
  t.equal(await verdict('--as', 'flux', '--prune'), '6 writes: 0 would be denied, 1 with warnings', 'the VirtualService comes first')
  const pruned = await hitless(['check', mesh, '--base-git', 'HEAD', '--as', 'argocd', '--prune'])
  t.equal(pruned.exit, 1, 'Argo CD prunes before it applies')
  t.match(pruned.out, /HEAD:.*Deployment-helloworld-v1\.yaml:1:1: deny \[workload-in-use\]/)
})

t.test('PruneLast lets Argo CD delete at the end', async (t) => {
  const { mesh, put, git } = repository(t.testdir())
  const [v1] = guide().filter(({ metadata }) => metadata['name'] === 'helloworld-v1')
  if (v1 === undefined) throw new Error('the guide has no v1')
  const annotations = { 'argocd.argoproj.io/sync-options': 'PruneLast=true' }
  put({ ...v1, metadata: { ...v1.metadata, annotations } })
  git('commit', '--quiet', '-am', 'last')
  put(virtualService([rule([to('v2')])]))
  rmSync(join(mesh, 'Deployment-helloworld-v1.yaml'))
  t.match(await hitless(['check', mesh, '--base-git', 'HEAD', '--as', 'argocd', '--prune']), { exit: 0 })
})

t.test('one file, and a path that the commit has not', async (t) => {
  const { mesh, put } = repository(t.testdir())
  put(destinationRule(['v1', 'v2', 'v3']))
  const file = join(mesh, 'DestinationRule-helloworld.yaml')
  t.match(await hitless(['check', file, '--base-git', 'HEAD', '-o', 'json']), { exit: 0, out: '"operation": "UPDATE"' })
  put(virtualService([rule([to('v1')])], {}, { name: 'other' }), 'new.yaml')
  t.match(await hitless(['check', join(mesh, 'new.yaml'), '--base-git', 'HEAD', '-o', 'json']), { out: '"operation": "CREATE"' })
})

t.test('what git cannot give is said, with exit code 2', async (t) => {
  const { mesh } = repository(t.testdir())
  const failed = async (...args: string[]) => hitless(['check', ...args])
  t.match(await failed(mesh, '--base-git', 'no-such-branch'), {
    exit: 2,
    err: /^hitless: git rev-parse in .*no-such-branch.* \[HITLESS_GIT\]\n$/
  })
  t.match(await failed(mesh, '--base-git=--output=x'), { exit: 2, err: /is no commit \[HITLESS_USAGE\]/ })
  t.match(await failed('-', '--base-git', 'HEAD'), { exit: 2, err: /standard input stands in no commit/ })
  t.match(await failed(mesh, '--prune'), { exit: 2, err: /--prune needs --base-git/ })
})

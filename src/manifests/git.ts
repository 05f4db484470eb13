/** Files as a commit holds them. */

import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { HitlessError } from '../errors.ts'
import { compareText } from '../mesh/names/text.ts'

const MOST_BYTES = 1 << 30

export interface CommittedFile {
  /** `origin/main:routes/reviews.yaml` */
  readonly file: string
  readonly text: string
}

/** What the files and folders at these paths of a work tree were in a commit; nothing for a path that was not there. Throws HITLESS_GIT. */
export function filesAt(ref: string, paths: readonly string[]): CommittedFile[] {
  if (ref.startsWith('-')) throw new HitlessError('HITLESS_USAGE', `${ref} is no commit`)
  return paths.flatMap((path) => filesOf(ref, path))
}

function filesOf(ref: string, path: string): CommittedFile[] {
  const [folder, inside] = isFolder(path) ? [path, '.'] : [dirname(path), basename(path)]
  const listed = git(folder, ['ls-tree', '-r', '-z', ref, '--', inside]).toString('utf8').split('\0').filter(Boolean)
  const blobs = listed.map(entryOf).filter(({ type }) => type === 'blob')
  const texts = contents(
    folder,
    blobs.map(({ id }) => id)
  )
  return blobs
    .map(({ name }, at) => ({ file: `${ref}:${join(folder, name)}`, text: texts[at] ?? '' }))
    .sort((one, other) => compareText(one.file, other.file))
}

/** `mode SP type SP id TAB name` (git-ls-tree). */
function entryOf(line: string): { type: string; id: string; name: string } {
  const [head = '', name = ''] = [line.slice(0, line.indexOf('\t')), line.slice(line.indexOf('\t') + 1)]
  const [, type = '', id = ''] = head.split(' ')
  return { type, id, name }
}

/** Of many objects by one process; each comes as `id SP type SP size LF content LF` (git-cat-file, BATCH OUTPUT). */
function contents(folder: string, ids: readonly string[]): string[] {
  if (ids.length === 0) return []
  const output = git(folder, ['cat-file', '--batch'], ids.join('\n'))
  let at = 0
  return ids.map(() => {
    const end = output.indexOf('\n', at)
    const size = Number(output.toString('latin1', at, end).split(' ')[2])
    at = end + 1 + size + 1
    return output.toString('utf8', end + 1, end + 1 + size)
  })
}

function git(folder: string, args: readonly string[], input = ''): Buffer {
  const { status, stdout, stderr, error } = spawnSync('git', ['-C', folder, ...args], { input, maxBuffer: MOST_BYTES })
  if (status === 0) return stdout
  const reason = error?.message ?? stderr.toString('utf8').trim().split('\n', 1)[0]
  throw new HitlessError('HITLESS_GIT', `git ${args[0]} in ${folder}: ${reason}`, { cause: error })
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

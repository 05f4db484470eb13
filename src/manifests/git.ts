/**
 * Files as a commit holds them. Whoever wrote the checked files chooses nothing here: the repository is the one around them that has a
 * `.git`, which no commit can bring; the commit is the user's; git runs no command and asks no server that a configuration names.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join, relative, sep } from 'node:path'
import { HitlessError } from '../errors.ts'
import { compareText } from '../mesh/names/text.ts'
import { assertNoWayOut, isFolder, MANIFEST_FILE, MOST_BYTES, MOST_FILE_BYTES, type TextFile } from './files.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** A commit as somebody names it, and the environment that says where git and the user's configuration are. */
export interface Commit {
  readonly ref: string
  readonly env: Environment
}

interface Repository {
  /** Of the work tree. */
  readonly root: string
  readonly gitDir: string
  /** The id of the commit that the user named. */
  readonly commit: string
}

interface Entry {
  /** `120000` is a link, `160000` a submodule. */
  readonly mode: string
  readonly id: string
  readonly bytes: number
  /** From the root of the work tree. */
  readonly name: string
}

const LINK = '120000'
const SUBMODULE = '160000'

/** What the files and folders at these paths of a work tree were in a commit; nothing for a path that was not there. Throws HITLESS_GIT. */
export function filesAt({ ref, env }: Commit, paths: readonly string[]): TextFile[] {
  if (ref.startsWith('-') || /\p{Cc}/u.test(ref)) throw new HitlessError('HITLESS_USAGE', `${ref} is no commit`)
  const git = new Git(env)
  return paths.flatMap((path) => filesOf(git, ref, path))
}

function filesOf(git: Git, ref: string, path: string): TextFile[] {
  assertNoWayOut(path)
  const real = isFolder(path) ? realpathSync(path) : join(realFolder(dirname(path)), basename(path))
  const root = workTreeOf(real)
  const repository = git.repository(root, ref)
  const inside = relative(root, real)
  const entries = git.entries(repository, inside)
  const wanted = entries.filter(({ name }) => name === inside || MANIFEST_FILE.test(name))
  if (wanted.some(({ mode }) => mode === SUBMODULE)) throw failed(`${path} is a submodule: name a commit of it, from within`)
  const texts = git.contents(repository, wanted)
  return wanted
    .flatMap(({ name }, at) => {
      const text = texts[at]
      return text === null || text === undefined
        ? []
        : [{ file: `${ref}:${join(path, relative(inside, name))}`, text, isFound: name !== inside }]
    })
    .sort((one, other) => compareText(one.file, other.file))
}

/** Of a folder that may be gone since the commit. */
function realFolder(folder: string): string {
  return existsSync(folder) ? realpathSync(folder) : join(realFolder(dirname(folder)), basename(folder))
}

/** The nearest folder around a path that has a `.git`. What looks like a bare repository is none: any commit can bring one. */
function workTreeOf(path: string): string {
  for (let at = path; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at
    if (at === dirname(at)) throw failed(`${path} stands in no work tree of git`)
  }
}

/** What chooses another repository, or what git does with it, when hitless itself runs in one of git's hooks. */
const CHOOSES = /^GIT_(?!CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)$)/

/** For every call: no lazy fetch of what a partial clone has not, no prompt, no other objects in place of those asked for. */
const CAUTION = {
  GIT_ALLOW_PROTOCOL: '',
  GIT_NO_LAZY_FETCH: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_LITERAL_PATHSPECS: '1',
  LC_ALL: 'C'
}

const SETTINGS = [
  'safe.bareRepository=explicit',
  'core.fsmonitor=false',
  'core.hooksPath=/dev/null',
  'core.warnAmbiguousRefs=true',
  'protocol.allow=never'
]

class Git {
  readonly #users: Environment
  readonly #none: Environment

  constructor(env: Environment) {
    this.#users = { ...Object.fromEntries(Object.entries(env).filter(([name]) => !CHOOSES.test(name))), ...CAUTION }
    const bare = Object.entries(env).filter(([name]) => !name.startsWith('GIT_'))
    this.#none = { ...Object.fromEntries(bare), ...CAUTION, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' }
  }

  /** Git itself says, by the user's own configuration, whether the user trusts the owner of a repository. */
  repository(root: string, ref: string): Repository {
    const gitDir = this.#run(this.#users, ['-C', root, 'rev-parse', '--absolute-git-dir']).stdout.toString('utf8').replace(/\n$/, '')
    const asked = ['-C', root, `--git-dir=${gitDir}`, 'rev-parse', '--verify', '--end-of-options', `${ref}^{commit}`]
    const { stdout, stderr } = this.#run(this.#none, asked)
    // A tag or branch that is named like another would be the commit in its place.
    if (stderr.includes('is ambiguous')) throw failed(`${ref} is ambiguous: name it in full, as refs/remotes/${ref} or refs/heads/${ref}`)
    return { root, gitDir, commit: stdout.toString('utf8').trim() }
  }

  entries({ root, gitDir, commit }: Repository, inside: string): Entry[] {
    const path = inside.split(sep).join('/')
    const listed = this.#in({ root, gitDir }, ['ls-tree', '-r', '-l', '-z', '--full-tree', commit, ...(path === '' ? [] : ['--', path])])
    return listed.toString('utf8').split('\0').filter(Boolean).map(entryOf)
  }

  /**
   * Of many objects by one process; each comes as `id SP type SP size LF content LF` (git-cat-file, BATCH OUTPUT). A link is followed as
   * far as the commit goes; null for one that leads to no file of it.
   */
  contents({ root, gitDir, commit }: Repository, entries: readonly Entry[]): (string | null)[] {
    if (entries.length === 0) return []
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0)
    const large = entries.find((entry) => entry.bytes > MOST_FILE_BYTES)
    if (large !== undefined || bytes > MOST_BYTES)
      throw new HitlessError('HITLESS_FILE_SIZE', `${large?.name ?? root}: more than hitless reads`)
    const asked = entries.map(({ mode, id, name }) => (mode === LINK && !name.includes('\n') ? `${commit}:${name}` : id))
    const output = this.#in({ root, gitDir }, ['cat-file', '--batch', '--follow-symlinks'], `${asked.join('\n')}\n`)
    let at = 0
    return entries.map(() => {
      const end = output.indexOf('\n', at)
      const [, type, size = '0'] = /^(?:\S+ )?(\S+) (\d+)$/.exec(output.toString('latin1', at, end)) ?? []
      if (type === undefined) throw failed(`${root}: git has not all of ${commit}; fetch it first`)
      at = end + 1 + Number(size) + 1
      return type === 'blob' ? output.toString('utf8', end + 1, end + 1 + Number(size)) : null
    })
  }

  #in({ root, gitDir }: Omit<Repository, 'commit'>, args: readonly string[], input = ''): Buffer {
    return this.#run(this.#none, ['-C', root, `--git-dir=${gitDir}`, ...args], input).stdout
  }

  #run(env: Environment, args: readonly string[], input = ''): { stdout: Buffer; stderr: string } {
    const settings = SETTINGS.flatMap((setting) => ['-c', setting])
    const ran = spawnSync('git', ['--no-pager', ...settings, ...args], { input, maxBuffer: 2 * MOST_BYTES, env })
    const stderr = ran.stderr?.toString('utf8') ?? ''
    if (ran.status === 0) return { stdout: ran.stdout, stderr }
    const reason = ran.error?.message ?? stderr.trim().split('\n', 1)[0]
    const said = stderr.includes('Needed a single revision') ? `${args.at(-1)} is no commit; fetch it first` : reason
    throw failed(`git ${args.find((word) => /^[a-z]+-/.test(word))} in ${args[1]}: ${said}`, ran.error)
  }
}

/** `mode SP type SP id SP+ size TAB name` (git-ls-tree). */
function entryOf(line: string): Entry {
  const tab = line.indexOf('\t')
  const [mode = '', , id = '', size = ''] = line.slice(0, tab).split(/ +/)
  return { mode, id, bytes: Number(size) || 0, name: line.slice(tab + 1) }
}

function failed(reason: string, cause?: Error): HitlessError {
  return new HitlessError('HITLESS_GIT', reason, { cause })
}

/**
 * Pages that are told as a session: what stands after `$` is run, and what it printed stands below it. `npm run docs` writes the output anew, and a test fails
 * where it is another. A fenced block whose first line is `# some/file.yaml` is that file from there on; `<!-- $ command -->` is run, and nobody sees it.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { hitless } from '../cli/commands.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Pages with sessions. */
export const SESSION_PAGES = ['docs/tutorial.md', 'docs/ci.md', 'docs/ask.md'] as const

const FILE = /^```yaml\n# (\S+\.yaml)\n([\s\S]*?)^```$/m
const HIDDEN = /^<!-- \$ (.*) -->$/m
/** Indented by four: a command, and whatever stands below it. */
const COMMAND = /^ {4}\$ .*(?:\n {4}(?!\$ ).*|\n(?=\n* {4}(?!\$ )))*/m
const PART = new RegExp([FILE, HIDDEN, COMMAND].map(({ source }) => `(?:${source})`).join('|'), 'gm')

/** The page as its commands print today, run one after another in a folder of its own. */
export async function session(page: string): Promise<string> {
  const text = readFileSync(join(ROOT, page), 'utf8')
  const folder = mkdtempSync(join(tmpdir(), 'hitless-docs-'))
  const back = process.cwd()
  const shown: string[] = []
  let at = 0
  try {
    shim(folder)
    process.chdir(join(folder, 'home'))
    for (const { 0: part, index } of text.matchAll(PART)) {
      shown.push(text.slice(at, index), await played(part))
      at = index + part.length
    }
    return [...shown, text.slice(at)].join('')
  } finally {
    process.chdir(back)
    rmSync(folder, { recursive: true, force: true })
  }
}

async function played(part: string): Promise<string> {
  const [, file, content = ''] = FILE.exec(part) ?? []
  if (file !== undefined) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    return part
  }
  const [, hidden] = HIDDEN.exec(part) ?? []
  if (hidden !== undefined) {
    const { exit, out } = inShell(hidden)
    if (exit !== 0) throw new Error(`${hidden}: ${out}`)
    return part
  }
  const command = (part.split('\n')[0] ?? '').slice('    $ '.length)
  const { exit, out } = await (/^hitless [^|>&;#]*$/.test(command) ? inProcess(command) : inShell(command))
  const lines = [...out.trimEnd().split('\n'), ...(exit === 0 ? [] : [`[exit code ${exit}]`])].filter(
    (line, number) => line !== '' || number > 0
  )
  return [`    $ ${command}`, ...lines.map((line) => `    ${line}`.trimEnd())].join('\n')
}

async function inProcess(command: string): Promise<{ exit: number; out: string }> {
  const all: string[] = []
  const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '')
  const { exit, out, err } = await hitless(words.slice(1))
  all.push(err, out)
  return { exit, out: all.join('') }
}

function inShell(command: string): { exit: number; out: string } {
  const env = {
    PATH: `${join(process.cwd(), '../bin')}${delimiter}${process.env['PATH']}`,
    HOME: process.cwd(),
    GIT_CONFIG_GLOBAL: '/dev/null'
  }
  const { status, stdout, stderr } = spawnSync('bash', ['-eo', 'pipefail', '-c', command], { env, encoding: 'utf8' })
  return { exit: status ?? -1, out: `${stderr}${stdout}` }
}

/** `hitless` for the shell, and the worlds of pages and examples beside the folder that the session is in. */
function shim(folder: string): void {
  for (const name of ['bin', 'home']) mkdirSync(join(folder, name))
  const run = `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, 'src/main.ts')}" "$@"\n`
  writeFileSync(join(folder, 'bin/hitless'), run, { mode: 0o755 })
  cpSync(join(ROOT, 'examples/helloworld'), join(folder, 'examples/helloworld'), { recursive: true })
  cpSync(join(import.meta.dirname, 'worlds'), join(folder, 'worlds'), { recursive: true })
}

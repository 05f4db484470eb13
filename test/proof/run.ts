/** The proof on a real mesh: `npm run proof -- [releases [script...] | settle [mesh...] [settle=length...] | versions [istiod...] | margin | controllers [release...] | pages] [--write]`; docs/proof.md says more. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Account } from './account.ts'
import { type ControlledRelease, controlledFaults } from './controllers.ts'
import { page, readmeWith } from './page.ts'
import { prove, type Result } from './proof.ts'
import { type ProofRecord, type ReleaseRow, releaseRow, updated } from './record.ts'
import { type SettleRow, settleFaults } from './settle.ts'
import { type VersionRow, versionFaults } from './versions.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const at = (path: string) => join(ROOT, path)
const PARTS = ['releases', 'settle', 'versions', 'margin', 'controllers']
const today = new Date().toISOString().slice(0, 10)

const isWriting = process.argv.includes('--write') || process.argv[2] === 'pages'
const args = process.argv.slice(2).filter((arg) => arg !== '--write')
const accounts = new Map<string, Account[]>()
const settle: SettleRow[] = []
const controlled: ControlledRelease[] = []
const versions: VersionRow[] = []
let svg = ''

for (const part of parts()) {
  for await (const result of prove(part)) {
    take(result)
    // At once, so that what comes to its end early does not cost what was measured.
    if (isWriting) write()
  }
}
if (isWriting) write()
const faults = [
  ...releaseRows().flatMap((row) => row.faults),
  ...settleFaults(settle),
  ...controlled.flatMap(controlledFaults),
  ...versions.flatMap(versionFaults)
]
process.stdout.write(faults.length === 0 ? 'as it must be\n' : '')
for (const fault of faults) process.stdout.write(`not as it must be: ${fault}\n`)
process.exitCode = faults.length > 0 ? 1 : 0

/** Of `pages` nothing is played: they are made from what was. */
function parts(): readonly (readonly string[])[] {
  if (args[0] === 'pages') return []
  if (PARTS.includes(args[0] ?? '')) return [args]
  return [['releases', ...args], ['settle', ...args], ['controllers', ...args], ['controllers', '--slow', ...args], ['versions']]
}

function take(result: Result): void {
  switch (result.kind) {
    case 'account':
      accounts.set(result.account.script, [...(accounts.get(result.account.script) ?? []), result.account])
      break
    case 'picture':
      svg = result.svg
      break
    case 'settle':
      settle.push(result.row)
      process.stdout.write(`${described(result.row)}\n`)
      break
    case 'controlled':
      controlled.push(result.release)
      process.stdout.write(`${controlledText(result.release)}\n`)
      break
    case 'margin':
      process.stdout.write(`${JSON.stringify(result.margin)}\n`)
      break
    case 'version':
      versions.push(result.row)
      process.stdout.write(`${JSON.stringify(result.row, null, 2)}\n`)
  }
}

function described({ mesh, settle: length, failed, requests, broken, releases: all, writingMs, heldMs }: SettleRow): string {
  const by = length === null ? 'without hitless' : `settle ${length}, held for ${heldMs} ms`
  return `${mesh}, ${by}: ${failed} of ${requests} requests failed, in ${broken} of ${all} releases of ${writingMs} ms`
}

function controlledText({ mesh, name, way, failed, requests, refused, seconds, stuck }: ControlledRelease): string {
  const end = stuck === null ? `ended after ${seconds} s` : stuck
  return `${mesh}: ${name}, ${way} hitless: ${failed} of ${requests} requests failed, ${refused} writes refused, ${end}`
}

function releaseRows(): ReleaseRow[] {
  return [...accounts.values()].flatMap((each) => releaseRow(each, today) ?? [])
}

function write(): void {
  const dated = <T>(rows: readonly T[]) => rows.map((row) => ({ ...row, date: today }))
  const fresh = { releases: releaseRows(), settle: dated(settle), controlled: dated(controlled), versions: dated(versions) }
  const record = updated(JSON.parse(readFileSync(at('docs/proof.json'), 'utf8')) as ProofRecord, fresh)
  writeFileSync(at('docs/proof.json'), `${JSON.stringify(record, null, 2)}\n`)
  if (svg !== '') writeFileSync(at('docs/proof.svg'), svg)
  writeFileSync(at('docs/proof.md'), page(record))
  writeFileSync(at('README.md'), readmeWith(readFileSync(at('README.md'), 'utf8'), record))
}

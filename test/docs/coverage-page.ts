/** The part of docs/coverage.md that is made from the kinds, and from what the tests on mutants know. */
import { readFileSync } from 'node:fs'
import { load } from 'js-yaml'
import { isLookedAtAlone, JUDGED_KINDS, KINDS, type Kind, kindModule, kindOf, WATCHED_KINDS } from '../../src/kinds/index.ts'
import type { Manifest } from '../manifests.ts'
import { worlds } from '../mutations/judged.ts'
import { known } from '../mutations/known.ts'
import { unchanged, unread } from '../mutations/unread.ts'
import { aligned, withPart } from './made-part.ts'

export const COVERAGE_PAGE = 'docs/coverage.md'

export function coveragePage(): string {
  return withPart(COVERAGE_PAGE, 'coverage', `${[...unreadFields(), ...mutants(), ...notJudged()].join('\n\n')}\n`)
}

function unreadFields(): string[] {
  const listed = Object.entries(unread()).flatMap(([kind, each]) => each.map((entry) => ({ kind: title(kind as Kind), ...entry })))
  const rows = listed.map(({ kind, fields, reason }) => [kind, fields.map((field) => `\`${field}\``).join(', '), reason])
  const whole = Object.entries(unread()).flatMap(([kind, each]) => (each.length === 0 ? [title(kind as Kind)] : []))
  return [
    '## Fields of judged kinds that are not read',
    `All others of their CustomResourceDefinitions are read, and every field of ${list(whole)}; a test compares this list with the definitions of Istio and the Gateway API. A name stands for every field of that name, ` +
      "`connectionPool` for those of a rule, a port and a subset. Of Kubernetes' own kinds and of Rollout, what routing needs is read: labels, selectors, ports, replicas, the Pod template's labels and ports, readiness of Pods.",
    aligned([['Kind', 'Fields', 'What a change of them can do that no verdict tells'], ...rows]).trimEnd()
  ]
}

function mutants(): string[] {
  const kinds = new Set(
    worlds().flatMap((file) => (load(readFileSync(file, 'utf8')) as { state: readonly Manifest[] }).state.map(kindOfManifest))
  )
  const [changed, others] = [JUDGED_KINDS.filter((kind) => kinds.has(kind)), JUDGED_KINDS.filter((kind) => !kinds.has(kind))]
  const differences = Object.entries(known()).flatMap(([kind, each]) =>
    Object.entries(each).map(([difference, { mutants: count, reason }]) => {
      const [judged, ...what] = difference.split(': ')
      return `- ${title(kind as Kind)} ${what.join(': ')}, ${judged} (${count} of these writes): ${reason}.`
    })
  )
  const still = Object.entries(unchanged()).flatMap(([kind, each]) =>
    each.map(({ fields, reason }) => `- ${title(kind as Kind)} ${fields.map((field) => `\`${field}\``).join(', ')}: ${reason}`)
  )
  return [
    '## Writes known to be judged otherwise',
    `A test changes and takes out every field below \`spec\`, and adds some, of each ${list(changed.map(title), 'and')} in ${worlds().length} worlds, deletes each, and compares the verdict with what requests lose. It differs for`,
    differences.join('\n'),
    'No world has these fields of theirs, though they are read:',
    still.join('\n'),
    `None of these worlds has a ${list(others.map(title), 'or')}: their verdicts are held by examples.`
  ]
}

function notJudged(): string[] {
  const others = KINDS.filter((kind) => !JUDGED_KINDS.includes(kind))
  const alone = others.filter(isLookedAtAlone)
  const inFiles = others.filter((kind) => !WATCHED_KINDS.includes(kind) && !isLookedAtAlone(kind))
  const live = others.filter((kind) => WATCHED_KINDS.includes(kind) && !isLookedAtAlone(kind))
  return [
    '## Kinds that are read and not judged',
    `Verdicts rest on ${list(live.map(title))}, and in files on ${list(inFiles.map(title))}; a write of them gets none. \`hitless routes\` and \`ask\` also look at ${list(alone.map(title))}.`
  ]
}

function kindOfManifest({ apiVersion, kind }: Manifest): Kind | null {
  return kindOf(apiVersion, kind)
}

/** As manifests call it; where that is not its own name, with what tells it from others. */
function title(kind: Kind): string {
  const { group, kind: written } = kindModule<Kind>(kind).api
  return written === undefined ? `\`${kind}\`` : `\`${written}\` (${group || kind})`
}

function list(names: readonly string[], last = 'and'): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} ${last} ${names.at(-1)}`
}

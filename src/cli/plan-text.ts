/** A plan in words, and as data. */
import { formatRef, type ObjectRef } from '../kinds/index.ts'
import { counted } from '../output/text.ts'
import type { PlannedWrite } from '../sandbox/lab.ts'
import type { Sequence } from '../sandbox/planner.ts'

export function planJson({ steps, stuck }: Sequence) {
  return {
    steps: steps.map(({ writes, waitFor, warnings }) => ({
      writes: writes.map(({ operation, ref, forNow, manifest }) => ({
        operation,
        object: formatRef(ref),
        intermediate: forNow !== null,
        ...(forNow === null ? {} : { forNow }),
        manifest
      })),
      waitFor: waitFor.map(formatRef),
      warnings
    })),
    stuck: stuck.map(({ operation, ref, why, advice }) => ({ operation, object: formatRef(ref), why, advice }))
  }
}

/** The answer first. */
export function planLines(sequence: Sequence): string[] {
  const steps = stepLines(sequence)
  if (sequence.stuck.length === 0) return summarized(sequence.steps, steps)
  return [...complaint(sequence.stuck), ...(steps.length === 0 ? [] : ['Safe by themselves are', ...steps])]
}

function stepLines({ steps }: Sequence): string[] {
  return steps.flatMap(({ writes, waitFor, warnings }, at) => [
    ...writes.map((write, first) => `${first === 0 ? `${at + 1}.` : ''.padEnd(`${at + 1}.`.length)} ${lineOf(write)}`),
    ...warnings.map((warning) => `   warning: ${warning}`),
    ...(waitFor.length > 0 && at < steps.length - 1 ? [waitLine(waitFor, writes.length > 0 ? '   then' : `${at + 1}.`)] : [])
  ])
}

function waitLine(workloads: readonly ObjectRef[], start: string): string {
  return `${start} wait until Ready: ${workloads.map(formatRef).join(', ')}`
}

function summarized(steps: Sequence['steps'], lines: readonly string[]): string[] {
  const writes = steps.reduce((sum, step) => sum + step.writes.length, 0)
  if (writes === 0) return ['Nothing is to be written: the two states are the same.']
  const total = `${counted(writes, 'write')} in ${counted(steps.length, 'step')}.`
  if (steps.length === 1) return [writes === 1 ? total : `${total} They can be made together.`, ...lines]
  return [
    total,
    ...lines,
    'Those of one step can be made together; before the next, give the proxies a second (the webhook does by itself).'
  ]
}

function complaint(stuck: Sequence['stuck']): string[] {
  return [
    'There is no safe sequence: what is left leaves requests unanswered, whatever comes first.',
    ...stuck.flatMap(({ operation, ref, why, advice }) => [
      `  ${operation} ${formatRef(ref)}: ${why}`,
      `    What to change in the state to: ${advice}.`
    ])
  ]
}

export function lineOf({ operation, ref, forNow }: PlannedWrite): string {
  return `${operation} ${formatRef(ref)}${forNow === null ? '' : `, ${forNow}`}`
}

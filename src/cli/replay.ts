/** `hitless replay`: scenario files step by step, with the verdict of each write. */
import { Command } from 'commander'
import { HitlessError } from '../errors.ts'
import { EXIT, type Io, type OutputFormat, printData, printText } from '../output/io.ts'
import { counted, line as lineOf, plainLines } from '../output/text.ts'
import type { Played, PlayedStep, ReadScenario } from '../sandbox/scenario.ts'
import type { ClusterFlags } from './cluster-source.ts'
import type { WriterFlags } from './cluster-writer.ts'
import { type Cli, examples, onCluster, onWriter, outputOption } from './command.ts'

interface ReplayOptions extends ClusterFlags, WriterFlags {
  readonly output: OutputFormat
}

export function replayCommand({ io, done }: Cli): Command {
  return onWriter(
    onCluster(
      new Command('replay'),
      'make the writes on it, each once what it leans on has reached the proxies; stop where one goes otherwise'
    )
  )
    .description('play scenario files step by step, with the verdict of each write')
    .argument('<files...>', 'scenario files')
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples(
        'hitless replay release.yaml',
        'hitless replay scenarios/*.yaml -o json',
        'hitless replay release.yaml --cluster --context staging'
      )
    )
    .action(async (files: string[], options: ReplayOptions) => done(await replay(files, options, io)))
}

/** Gives 0 when every expectation held, 1 where one did not, and 2, which counts more, where a file, a document or a step is malformed; all others are played. */
async function replay(files: readonly string[], options: ReplayOptions, io: Io): Promise<number> {
  const { playAll, scenariosIn } = await import('../sandbox/scenario.ts')
  const found = files.flatMap((file) => orError(() => scenariosIn(file)))
  if (!options.cluster) return playEach(found, (scenario) => playAll(scenario, io.nowMs), options, io)
  const { onStage } = await import('./replay-on-cluster.ts')
  return onStage(options, io, (play) => playEach(found, play, options, io))
}

type Play = (scenario: ReadScenario) => Promise<Played>

async function playEach(
  found: readonly (ReadScenario | HitlessError)[],
  play: Play,
  { output, cluster }: ReplayOptions,
  io: Io
): Promise<number> {
  const steps: PlayedStep[] = []
  const errors: HitlessError[] = []
  for (const scenario of found) {
    const played = scenario instanceof HitlessError ? { steps: [], errors: [scenario] } : await play(scenario)
    for (const step of played.steps) steps.push(step)
    for (const error of played.errors) errors.push(error)
    if (output === 'text' && !(scenario instanceof HitlessError)) {
      printText(`${plainLines([scenario.name])}${played.steps.map((step) => textOf(step, io.colour)).join('')}`, io)
    }
    for (const { code, message } of played.errors) io.err(lineOf(['hitless: ', message, ` [${code}]`], false))
    // What follows on a real cluster would begin where nobody meant it to.
    if (cluster && (errors.length > 0 || steps.some(({ failure }) => failure !== null))) break
  }
  const failed = steps.filter(({ failure }) => failure !== null).length
  if (output === 'text') io.out(`${summary(steps.length, found.length, failed, errors.length)}\n`)
  else printData({ steps, ...(errors.length === 0 ? {} : { errors: errors.map(({ code, message }) => ({ code, message })) }) }, output, io)
  if (errors.length > 0) return EXIT.usage
  return failed === 0 ? EXIT.ok : EXIT.denied
}

function orError<T>(read: () => T[]): (T | HitlessError)[] {
  try {
    return read()
  } catch (error) {
    if (error instanceof HitlessError) return [error]
    throw error
  }
}

function summary(writes: number, scenarios: number, failed: number, errors: number): string {
  return `${counted(writes, 'write')} in ${counted(scenarios, 'scenario')}, ${failed} not as expected${errors === 0 ? '' : `, ${errors} malformed`}`
}

const COLOURS = { allow: 'green', warn: 'yellow', deny: 'red' } as const

function textOf({ verdict, operation, object, message, warnings, failure, file, line }: PlayedStep, colour: boolean): string {
  const told = [message, ...warnings.map((warning) => `Warning: ${warning}`), failure === null ? '' : `${file}:${line}: ${failure}`]
  const head = lineOf(['  ', { text: verdict.padEnd(5), style: COLOURS[verdict] }, ` ${operation} ${object}`], colour)
  return `${head}${plainLines(told.filter(Boolean).map((text) => `        ${text}`))}`
}

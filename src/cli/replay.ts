/** `hitless replay`: scenario files step by step, with the verdict of each write. */
import { Command } from 'commander'
import { EXIT, type Io, type OutputFormat, printData } from '../output/io.ts'
import { line as lineOf, plainLines } from '../output/text.ts'
import { type PlayedStep, play, readScenarios } from '../sandbox/scenario.ts'
import { type Cli, examples, outputOption } from './command.ts'

export function replayCommand({ io, done }: Cli): Command {
  return new Command('replay')
    .description('play scenario files step by step, with the verdict of each write')
    .argument('<files...>', 'scenario files')
    .addOption(outputOption())
    .addHelpText('after', examples('hitless replay release.yaml', 'hitless replay scenarios/*.yaml -o json'))
    .action(async (files: string[], { output }: { output: OutputFormat }) => done(await replay(files, output, io)))
}

/** Gives 0 when every expectation held, else 1. Throws coded errors for files that are no scenarios. */
async function replay(files: readonly string[], output: OutputFormat, io: Io): Promise<number> {
  const scenarios = files.flatMap(readScenarios)
  const steps: PlayedStep[] = []
  for (const scenario of scenarios) {
    const played = await play(scenario, io.nowMs)
    for (const step of played) steps.push(step)
    if (output === 'text') io.out(`${plainLines([scenario.name])}${played.map((step) => textOf(step, io.colour)).join('')}`)
  }
  const failed = steps.filter(({ failure }) => failure !== null).length
  if (output === 'text') io.out(`${steps.length} writes in ${scenarios.length} scenarios, ${failed} not as expected\n`)
  else printData({ steps }, output, io)
  return failed === 0 ? EXIT.ok : EXIT.denied
}

const COLOURS = { allow: 'green', warn: 'yellow', deny: 'red' } as const

function textOf({ verdict, operation, object, message, warnings, failure, file, line }: PlayedStep, colour: boolean): string {
  const told = [message, ...warnings.map((warning) => `Warning: ${warning}`), failure === null ? '' : `${file}:${line}: ${failure}`]
  const head = lineOf(['  ', { text: verdict.padEnd(5), style: COLOURS[verdict] }, ` ${operation} ${object}`], colour)
  return `${head}${plainLines(told.filter(Boolean).map((text) => `        ${text}`))}`
}

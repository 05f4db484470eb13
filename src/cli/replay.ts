/** `hitless replay`: scenario files step by step, with the verdict of each write. */
import { styleText } from 'node:util'
import { dump } from 'js-yaml'
import { EXIT, type Io, type OutputFormat, printable } from '../output/io.ts'
import { type PlayedStep, play, readScenarios } from '../sandbox/scenario.ts'

/** Gives 0 when every expectation held, else 1. Throws coded errors for files that are no scenarios. */
export async function replay(files: readonly string[], output: OutputFormat, io: Io): Promise<number> {
  const scenarios = files.flatMap(readScenarios)
  const steps: PlayedStep[] = []
  for (const scenario of scenarios) {
    const played = await play(scenario, io.nowMs)
    steps.push(...played)
    if (output === 'text') io.out(printable(`${scenario.name}\n${played.map((step) => textOf(step, io.colour)).join('')}`))
  }
  const failed = steps.filter(({ failure }) => failure !== null).length
  if (output === 'json') io.out(`${JSON.stringify({ steps }, null, 2)}\n`)
  else if (output === 'yaml') io.out(dump({ steps: JSON.parse(JSON.stringify(steps)) }))
  else io.out(`${steps.length} writes in ${scenarios.length} scenarios, ${failed} not as expected\n`)
  return failed === 0 ? EXIT.ok : EXIT.denied
}

const COLOURS = { allow: 'green', warn: 'yellow', deny: 'red' } as const

function textOf({ verdict, operation, object, message, warnings, failure, file, line }: PlayedStep, colour: boolean): string {
  const word = colour ? styleText(COLOURS[verdict], verdict.padEnd(5), { validateStream: false }) : verdict.padEnd(5)
  const lines = [`  ${word} ${operation} ${object}`]
  if (message !== '') lines.push(`        ${message}`)
  for (const warning of warnings) lines.push(`        Warning: ${warning}`)
  if (failure !== null) lines.push(`        ${file}:${line}: ${failure}`)
  return `${lines.join('\n')}\n`
}

/** The command line: the list of commands, and how errors are said. */
import { Command, CommanderError, Help, Option } from 'commander'
import { HitlessError } from '../errors.ts'
import { EXIT, type Io } from '../output/io.ts'
import { line, oneLine } from '../output/text.ts'
import type { Cli } from './command.ts'

/** Where each command is made, in the order of the help. Only the one that is run is loaded: what the others need would take longer than most of them run. */
const COMMANDS: ReadonlyMap<string, () => Promise<(cli: Cli, program: Command) => Command>> = new Map([
  ['check', async () => (await import('./check.ts')).checkCommand],
  ['plan', async () => (await import('./plan.ts')).planCommand],
  ['replay', async () => (await import('./replay.ts')).replayCommand],
  ['routes', async () => (await import('./routes.ts')).routesCommand],
  ['ask', async () => (await import('./ask.ts')).askCommand],
  ['audit', async () => (await import('./audit.ts')).auditCommand],
  ['look', async () => (await import('./look.ts')).lookCommand],
  ['explain', async () => (await import('./explain.ts')).explainCommand],
  ['serve', async () => (await import('./serve.ts')).serveCommand],
  ['prove', async () => (await import('./prove.ts')).proveCommand],
  ['withdraw', async () => (await import('./withdraw.ts')).withdrawCommand],
  ['demo', async () => (await import('./demo.ts')).demoCommand],
  ['completion', async () => (await import('./completion.ts')).completionCommand]
])

/** Runs a command line (without `node` and the script) and gives its exit code. Never throws. */
export async function run(args: readonly string[], given: Io, examples: string): Promise<number> {
  const io: Io = { ...given, err: (text) => given.err(`${oneLine(text.trimEnd())}\n`) }
  let exit: number = EXIT.ok
  const done = (code: number) => {
    exit = code
  }
  const program = new Command('hitless')
    .description('Refuses the write to an Istio mesh that would leave requests unanswered.')
    .version(io.version)
    .exitOverride()
    // Help has many lines, all of them ours.
    .configureOutput({ writeOut: given.out, writeErr: given.err, outputError: (text) => io.err(line([text.trim()], false)) })
    .showSuggestionAfterError()
    .configureHelp({ optionDescription })
  try {
    for (const load of loadersFor(args)) program.addCommand((await load())({ io, examples, done }, program).copyInheritedSettings(program))
    await program.parseAsync(args, { from: 'user' })
    return exit
  } catch (error) {
    return failed(error, io)
  }
}

/** Where the first word is no command, help or a suggestion needs them all; completion does too. */
function loadersFor([name = '']: readonly string[]) {
  const load = COMMANDS.get(name)
  return load === undefined || name === 'completion' ? [...COMMANDS.values()] : [load]
}

/** What is off or empty where it is not given needs no word. */
function optionDescription(option: Option): string {
  const given = option.defaultValue === false || Array.isArray(option.defaultValue)
  return new Help().optionDescription(
    given ? Object.assign(new Option(option.flags, option.description), { argChoices: option.argChoices }) : option
  )
}

function failed(error: unknown, io: Io): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (error instanceof HitlessError) {
    io.err(line(['hitless: ', error.message, ` [${error.code}]`], false))
    return error.exit
  }
  const message = error instanceof Error ? error.message : String(error)
  io.err(line(['hitless: ', message, '. This is a defect of hitless; please report it.'], false))
  return EXIT.usage
}

/** The command line: the list of commands, and how errors are said. */
import { Command, CommanderError, Help, Option } from 'commander'
import { HitlessError } from '../errors.ts'
import { EXIT, type Io } from '../output/io.ts'
import { line, oneLine } from '../output/text.ts'
import { askCommand } from './ask.ts'
import { auditCommand } from './audit.ts'
import { checkCommand } from './check.ts'
import type { Cli } from './command.ts'
import { completionCommand } from './completion.ts'
import { demoCommand } from './demo.ts'
import { explainCommand } from './explain.ts'
import { lookCommand } from './look.ts'
import { planCommand } from './plan.ts'
import { proveCommand } from './prove.ts'
import { replayCommand } from './replay.ts'
import { routesCommand } from './routes.ts'
import { serveCommand } from './serve.ts'
import { withdrawCommand } from './withdraw.ts'

/** In the order of the help. What only some of them need is loaded once it is needed: most of the time of a command is its start. */
const COMMANDS = {
  check: checkCommand,
  plan: planCommand,
  replay: replayCommand,
  routes: routesCommand,
  ask: askCommand,
  audit: auditCommand,
  look: lookCommand,
  explain: explainCommand,
  serve: serveCommand,
  prove: proveCommand,
  withdraw: withdrawCommand,
  demo: demoCommand,
  completion: completionCommand
} satisfies Readonly<Record<string, (cli: Cli, program: Command) => Command>>

/** Runs a command line (without `node` and the script) and gives its exit code. Never throws. `given.signal` may be a getter: only a command that can be stopped looks at it. */
export async function run(args: readonly string[], given: Io, examples: string): Promise<number> {
  const err = (text: string) => given.err(`${oneLine(text.trimEnd())}\n`)
  const io: Io = Object.defineProperties({} as Io, { ...Object.getOwnPropertyDescriptors(given), err: { value: err, enumerable: true } })
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
    for (const command of commandsFor(args)) program.addCommand(command({ io, examples, done }, program).copyInheritedSettings(program))
    await program.parseAsync(args, { from: 'user' })
    return exit
  } catch (error) {
    return failed(error, io)
  }
}

/** The one that is named; all of them where none is, and for what tells of all. */
function commandsFor([name = '']: readonly string[]) {
  const [, named] = Object.entries(COMMANDS).find(([each]) => each === name) ?? []
  return named === undefined || named === completionCommand ? Object.values(COMMANDS) : [named]
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

/** What every command is made with, and the options that several of them have. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Io } from '../output/io.ts'

export interface Cli {
  readonly io: Io
  /** The folder with `world/` and `release/` of the guide. */
  readonly examples: string
  /** Told of the exit code. */
  readonly done: (exit: number) => void
}

export function outputOption(more: readonly string[] = []): Option {
  return new Option('-o, --output <format>', 'form of the result').choices(['text', 'json', 'yaml', ...more]).default('text')
}

export function failOnOption(): Option {
  return new Option('--fail-on <severity>', 'which findings make the exit code 1').choices(['deny', 'warn']).default('deny')
}

/** For files in which a release's objects name no namespace, as Helm prints them. */
export function namespaceOption(): Option {
  return new Option('-n, --namespace <name>', 'the namespace of objects that name none; default where absent').argParser((name) => {
    if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return name
    throw new InvalidArgumentError('It must be lower case letters, digits and dashes.')
  })
}

/** The options that say which cluster. */
export function ofCluster(command: Command): Command {
  return command
    .option('--kubeconfig <file>', "the cluster; as kubectl finds it, or this Pod's own, where absent")
    .option('--context <name>', 'a context of the kubeconfig')
}

/** The options of a command that can read a cluster. */
export function onCluster(command: Command, description: string): Command {
  return ofCluster(command.option('--cluster', description, false))
}

/** The options of a command that writes to one. */
export function onWriter(command: Command): Command {
  return command
    .option('--timeout <seconds>', 'for how long to wait for Pods, and for proxies, between writes', secondsOf, 600)
    .option('--istiod-account <name>', "the ServiceAccount in Istio's root namespace that istiod is asked as", 'hitless-settle')
}

function secondsOf(text: string): number {
  const seconds = Number(text)
  if (seconds > 0 && seconds <= 86_400) return seconds
  throw new InvalidArgumentError('It must be a number of seconds, at most a day.')
}

/** For an option that may be given more than once: one with several values would swallow the paths that follow it. */
export function collect(value: string, values: readonly string[]): string[] {
  return [...values, value]
}

/** Command lines to copy, at the end of a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`
}

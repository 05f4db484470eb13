/** `hitless completion`: what a shell needs to complete commands, options and their choices; made from the commands themselves. */
import { Argument, Command } from 'commander'
import { type Cli, examples } from './command.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const

/** `program` has every command. */
export function completionCommand({ io }: Cli, program: Command): Command {
  return new Command('completion')
    .description('the completion of a shell: commands, options, their choices, and files')
    .addArgument(new Argument('<shell>', 'which one').choices(SHELLS))
    .addHelpText(
      'after',
      examples(
        'source <(hitless completion bash)                                  # in ~/.bashrc',
        'source <(hitless completion zsh)                                   # in ~/.zshrc, after compinit',
        'hitless completion fish > ~/.config/fish/completions/hitless.fish'
      )
    )
    .action((shell: (typeof SHELLS)[number]) => {
      io.out(scriptFor(shell, commandsOf(program)))
    })
}

interface Completed {
  readonly name: string
  readonly description: string
  readonly options: readonly CompletedOption[]
  /** Of its first argument. */
  readonly choices: readonly string[]
}

interface CompletedOption {
  readonly flags: readonly string[]
  readonly description: string
  readonly takesValue: boolean
  /** Empty: any value, which may be a file. */
  readonly choices: readonly string[]
}

function commandsOf(program: Command): Completed[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    choices: command.registeredArguments[0]?.argChoices ?? [],
    options: command.options.map(({ short, long, description, required, optional, argChoices }) => ({
      flags: [short, long].filter((flag) => flag !== undefined),
      description,
      takesValue: required || optional,
      choices: argChoices ?? []
    }))
  }))
}

function scriptFor(shell: (typeof SHELLS)[number], commands: readonly Completed[]): string {
  switch (shell) {
    case 'bash':
      return bash(commands)
    case 'zsh':
      return `autoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`
    case 'fish':
      return fish(commands)
  }
}

/** Where no word fits, the shell offers files (-o default). */
function bash(commands: readonly Completed[]): string {
  const cases = commands.map(({ name, options, choices }) => {
    const valued = options
      .filter(({ takesValue }) => takesValue)
      .map((option) => `        ${option.flags.join('|')}) words=${quoted(option.choices.join(' '))} ;;`)
    const all = [...options.flatMap(({ flags }) => flags), '--help'].join(' ')
    return [
      `    ${name})`,
      '      case "$before" in',
      ...valued,
      `        *) case "$word" in -*) words=${quoted(all)} ;; *) words=${quoted(choices.join(' '))} ;; esac ;;`,
      '      esac ;;'
    ].join('\n')
  })
  return `_hitless() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words=
  case "$COMP_CWORD \${COMP_WORDS[1]}" in
    "1 "*) words=${quoted([...commands.map(({ name }) => name), 'help', '--help', '--version'].join(' '))} ;;
    *) case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _hitless hitless kubectl-hitless
`
}

function fish(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, description, options, choices }) => [
    `complete -c hitless -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`,
    ...(choices.length === 0 ? [] : [`complete -c hitless -n '__fish_seen_subcommand_from ${name}' -f -a ${quoted(choices.join(' '))}`]),
    ...options.map(({ flags, description, takesValue, choices }) =>
      [
        `complete -c hitless -n '__fish_seen_subcommand_from ${name}'`,
        ...flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)),
        ...(takesValue ? ['-r'] : []),
        ...(choices.length === 0 ? [] : [`-f -a ${quoted(choices.join(' '))}`]),
        `-d ${quoted(description)}`
      ].join(' ')
    )
  ])
  return `${lines.join('\n')}\n`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** The shells that `criu-flow completion` knows. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/**
 * What a shell reads to complete the command line. It asks `criu-flow complete` at each Tab, so that it fits whatever version is
 * installed. No shell evaluates what has been typed: the words are arguments, as they stand there.
 */
export const COMPLETION_SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# Completes criu-flow in bash 4.3 and later. Into ~/.bashrc:
#   source <(criu-flow completion bash)
_criu_flow() {
  local rest=\${COMP_LINE:0:COMP_POINT} words=() current index word
  # Bash parts words at "=" and others too: what has no space before it is joined again.
  for ((index = 0; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if ((index == 0)) || [[ $rest == [[:space:]]* ]]; then words+=("$word"); else words[-1]+=$word; fi
    while [[ $rest == [[:space:]]* ]]; do rest=\${rest:1}; done
    rest=\${rest#"$word"}
  done
  if [[ $rest == [[:space:]]* ]]; then
    while [[ $rest == [[:space:]]* ]]; do rest=\${rest:1}; done
    words+=("$rest")
  else
    words[-1]+=$rest
  fi
  current=\${words[-1]}
  local lines=() line value more=() part=$current before=
  # What stands before "=" is not replaced.
  if [[ $current == *=* ]]; then
    before=\${current%%=*}= part=\${current#*=}
  fi
  mapfile -t lines < <(criu-flow complete -- "\${words[@]:1}" 2> /dev/null)
  COMPREPLY=()
  for line in "\${lines[@]:1}"; do
    value=\${line%%$'\\t'*}
    COMPREPLY+=("\${value#"$before"}")
    # What comes after it is part of the same word.
    [[ $value != *= ]] || compopt -o nospace
  done
  case \${lines[0]-} in
    any) mapfile -t more < <(compgen -f -- "$part") ;;
    yaml) mapfile -t more < <(
      compgen -d -- "$part"
      compgen -f -X '!*.yaml' -- "$part"
      compgen -f -X '!*.yml' -- "$part"
    ) ;;
    *) return ;;
  esac
  compopt -o filenames
  COMPREPLY+=("\${more[@]}")
}
complete -F _criu_flow criu-flow
`,
  zsh: `# Completes criu-flow in zsh. Into ~/.zshrc, after compinit:
#   source <(criu-flow completion zsh)
_criu-flow() {
  local -a lines candidates begun
  local line value
  local -i result=1
  lines=("\${(@f)$(criu-flow complete -- "\${(@)words[2,CURRENT-1]}" "$IPREFIX$PREFIX" 2> /dev/null)}")
  for line in "\${(@)lines[2,-1]}"; do
    value=\${line%%$'\\t'*}
    line="\${value//:/\\\\:}:\${line#*$'\\t'}"
    # What comes after it is part of the same word.
    if [[ $value == *= ]]; then begun+=("$line"); else candidates+=("$line"); fi
  done
  (( $#candidates )) && _describe -V criu-flow candidates && result=0
  (( $#begun )) && _describe -V criu-flow begun -S '' && result=0
  if [[ $lines[1] == (any|yaml) ]]; then
    [[ $PREFIX == --*=* ]] && compset -P '--*='
    if [[ $lines[1] == any ]]; then _files; else _files -g '*.(yaml|yml)'; fi && result=0
  fi
  return result
}
compdef _criu-flow criu-flow
`,
  fish: `# Completes criu-flow in fish 3 and later. Into ~/.config/fish/config.fish:
#   criu-flow completion fish | source
function __criu_flow_complete
    set -l words (commandline -opc)
    set -e words[1]
    set -l current (commandline -ct)
    set -l lines (criu-flow complete -- $words "$current" 2> /dev/null)
    set -l files $lines[1]
    set -e lines[1]
    for line in $lines
        echo $line
    end
    set -l before (string match -r -- '^--[^=]*=' "$current")
    set -l part (string replace -r -- '^--[^=]*=' '' "$current")
    switch "$files"
        case any
            printf "$before%s\\n" (__fish_complete_path "$part")
        case yaml
            printf "$before%s\\n" (__fish_complete_path "$part" | string match -r -- '.*(?:/|\\.ya?ml)(?:\\t.*)?$')
    end
end
complete -c criu-flow -f -a '(__criu_flow_complete)'
`,
};

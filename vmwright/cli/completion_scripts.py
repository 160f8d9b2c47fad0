"""What makes a shell ask the command what a word may become; see `vmwright.cli.completion`.

They say nothing of the command themselves, so that they need not be made anew with each release.
"""

_BASH = r"""# bash completion of vmwright
_vmwright() {
    local line=${COMP_LINE:0:COMP_POINT} current kept answer about
    local -a words
    COMPREPLY=()
    # Not COMP_WORDS: bash has cut those at each "=" and ":" as well.
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    current=${words[-1]}
    kept=${current%"${current##*[=:]}"}
    while IFS=$'\t' read -r answer about; do
        if [[ $answer == :files ]]; then
            compopt -o default
            return
        fi
        [[ $answer == *[=,] ]] && compopt -o nospace
        answer=${answer#"$kept"}
        if [[ $answer == *[!][:alnum:]=,.:_/@%+-]* ]]; then
            printf -v answer %q "$answer"
        fi
        COMPREPLY+=("$answer")
    done < <("${words[0]/#\~/$HOME}" __complete "${words[@]:1}" 2>/dev/null)
}
complete -F _vmwright vmwright
"""

_ZSH = r"""#compdef vmwright
_vmwright() {
    local -a answers plain open
    local answer word
    answers=("${(Q)words[1]}" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}")
    answers=("${(@f)$("${answers[@]}" 2>/dev/null)}")
    if [[ $answers[1] == :files ]]; then
        _files
        return
    fi
    for answer in $answers; do
        word=${${answer%%$'\t'*}//:/\\:}
        [[ $answer == *$'\t'* ]] && word+=:${answer#*$'\t'}
        if [[ ${answer%%$'\t'*} == *[=,] ]]; then open+=($word); else plain+=($word); fi
    done
    (( $#plain )) && _describe -V vmwright plain
    (( $#open )) && _describe -V vmwright open -S ''
}
if [[ $funcstack[1] == _vmwright ]]; then
    _vmwright "$@"
else
    compdef _vmwright vmwright
fi
"""

_FISH = r"""# fish completion of vmwright
function __vmwright_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l answers ($program __complete $words "$current" 2>/dev/null)
    if test "$answers[1]" = ":files"
        __fish_complete_path "$current"
    else
        printf '%s\n' $answers
    end
end
complete -c vmwright -f -a '(__vmwright_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""By the name of the shell."""

#compdef rag
# Completion of `rag` in zsh: the program itself knows what may follow.

_rag() {
    local -a plain folders lines
    local line value help
    # An empty last word must be passed too.
    lines=("${(@f)$($words[1] __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    for line in $lines; do
        [[ -n $line ]] || continue
        case $line in
            :files) _files ;;
            :dirs) _files -/ ;;
            *)
                value=${line%%$'\t'*}
                help=${line#*$'\t'}
                if [[ $value == *[/=:] ]]; then
                    folders+=("$value")
                else
                    plain+=("${value//:/\\:}${help:+:$help}")
                fi
                ;;
        esac
    done
    (( $#folders )) && compadd -S '' -- $folders
    (( $#plain )) && _describe -V rag plain
}

if [[ $funcstack[1] == _rag ]]; then
    _rag "$@"
else
    compdef _rag rag
fi

# Completion of openmux for bash. What fits is asked of the program itself:
# models, providers, profiles, columns and flags are those of the version and
# the catalog that are installed. It is quick, and never uses the network.

_openmux() {
    local IFS=$'\n'
    # The line rather than COMP_WORDS, in which model:provider is three words.
    COMPREPLY=($("${1/#\~/$HOME}" completions bash -- \
        "$COMP_LINE" "$COMP_POINT" "$COMP_WORDBREAKS" 2>/dev/null))
    if [[ ${COMPREPLY[0]-} == :files ]]; then
        COMPREPLY=()
        compopt -o default 2>/dev/null
    elif [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=,] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

complete -F _openmux openmux

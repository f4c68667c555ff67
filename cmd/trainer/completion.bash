# Completion of trainer for bash. To load it:
#
#     source <(trainer completion bash)

_trainer_reply() { # the lines of standard input that begin with $1
    local line
    while IFS= read -r line; do
        [[ $line == "$1"* ]] && COMPREPLY+=("$line")
    done
}

_trainer_files() { # files or folders (-d) that begin with $2
    compopt -o filenames 2>/dev/null
    _trainer_reply "" < <(compgen "$1" -- "$2")
}

_trainer_config() {
    compopt -o filenames 2>/dev/null
    _trainer_reply "$1" <<'END'
{{range .Presets}}{{.}}
{{end}}END
    local file
    while IFS= read -r file; do
        [[ -d $file || $file == *.yaml || $file == *.yml ]] && COMPREPLY+=("$file")
    done < <(compgen -f -- "$1")
}

_trainer_setting() {
    case $1 in
{{- range .Keys}}{{if .Values}}
    {{.Path}}=*) _trainer_reply "$1" <<'END'
{{$path := .Path}}{{range .Values}}{{$path}}={{.}}
{{end}}END
        ;;
{{- else if .IsPath}}
    {{.Path}}=*)
        compopt -o filenames 2>/dev/null
        local file
        while IFS= read -r file; do
            COMPREPLY+=("{{.Path}}=$file")
        done < <(compgen -f -- "${1#*=}")
        ;;
{{- end}}{{end}}
    *=*) ;;
    *)
        compopt -o nospace 2>/dev/null
        _trainer_reply "$1" <<'END'
{{range .Keys}}{{.Path}}=
{{end}}END
        ;;
    esac
}

_trainer() {
    # Bash splits words at =. This joins them again.
    local -a words=()
    local word joins= i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ (-n $joins || $word == =) && ${#words[@]} -gt 0 ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
        joins=
        [[ $word == = ]] && joins=yes
    done
    local current=${words[${#words[@]}-1]} previous= command=train
    ((${#words[@]} > 2)) && previous=${words[${#words[@]}-2]}
    if ((${#words[@]} > 2)); then
        case ${words[1]} in
        {{range $i, $c := .Commands}}{{if $i}} | {{end}}{{.Name}}{{end}}) command=${words[1]} ;;
        esac
    fi
    previous=${previous/#--/-}
    local whole=$current attached=
    if [[ $current == -*=* ]]; then # -flag=value
        attached=${current%%=*}=
        previous=${attached%=}
        previous=${previous/#--/-}
        current=${current#*=}
    fi
    COMPREPLY=()
    case "$command $previous" in
{{- range $c := .Commands}}{{range .Flags}}{{if .Value}}
    "{{$c.Name}} -{{.Name}}")
        {{- if eq .Value "config"}} _trainer_config "$current" ;;
        {{- else if eq .Value "setting"}} _trainer_setting "$current" ;;
        {{- else if eq .Value "folder"}} _trainer_files -d "$current" ;;
        {{- else if eq .Value "file"}} _trainer_files -f "$current" ;;
        {{- else if eq .Value "words"}} _trainer_reply "$current" <<'END'
{{range .Words}}{{.}}
{{end}}END
        ;;
        {{- else}} ;;
        {{- end}}
{{- end}}{{end}}{{end}}
    *)
        case "$command $current" in
{{- range .Commands}}
        "{{.Name}} -"*) _trainer_reply "${current/#--/-}" <<'END'
{{range .Flags}}-{{.Name}}
{{end}}-h
END
            ;;
        "{{.Name}} "*)
            {{- if eq .Operand "config"}} _trainer_config "$current" ;;
            {{- else if eq .Operand "file"}} _trainer_files -f "$current" ;;
            {{- else if .Words}} _trainer_reply "$current" <<'END'
{{range .Words}}{{.}}
{{end}}END
            ;;
            {{- else}} ;;
            {{- end}}
{{- end}}
        esac
        if ((${#words[@]} == 2)) && [[ $current != -* ]]; then
            _trainer_reply "$current" <<'END'
{{range .Commands}}{{.Name}}
{{end}}END
        fi
        ;;
    esac
    # What is replaced is the part after the last =.
    local before=
    [[ $whole == *=* && $COMP_WORDBREAKS == *=* ]] && before=${whole%"${whole##*=}"}
    for ((i = 0; i < ${#COMPREPLY[@]}; i++)); do
        word=$attached${COMPREPLY[i]}
        COMPREPLY[i]=${word#"$before"}
    done
}

complete -F _trainer trainer

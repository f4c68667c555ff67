#compdef trainer
# Completion of trainer for zsh. To load it, after compinit:
#
#     source <(trainer completion zsh)

_trainer_config() {
    _alternative \
        'presets:built-in configuration:({{join .Presets " "}})' \
        'files:configuration:_files -g "*.(yaml|yml)"'
}

_trainer_setting() {
    if compset -P '*='; then
        case $IPREFIX in
{{- range .Keys}}{{if .Values}}
        (*{{.Path}}=) compadd -- {{join .Values " "}} ;;
{{- else if .IsPath}}
        (*{{.Path}}=) _files ;;
{{- end}}{{end}}
        esac
    else
        compadd -S = --{{range .Keys}} {{.Path}}{{end}}
    fi
}

_trainer() {
    local -a commands=(
{{- range .Commands}}
        '{{.Name}}:{{zsh .About}}'
{{- end}}
    )
    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
        _describe -t commands command commands
        _trainer_config
        return
    fi
    local command=train
    case $words[2] in
    ({{range $i, $c := .Commands}}{{if $i}}|{{end}}{{.Name}}{{end}})
        command=$words[2]
        shift words
        (( CURRENT-- ))
        ;;
    esac
    case $command in
{{- range .Commands}}
    ({{.Name}})
        _arguments
        {{- range .Flags}} \
            '{{if .Repeats}}*{{end}}-{{.Name}}[{{zsh .About}}]
            {{- if eq .Value "config"}}:file:_trainer_config
            {{- else if eq .Value "setting"}}:key=value:_trainer_setting
            {{- else if eq .Value "folder"}}:folder:_files -/
            {{- else if eq .Value "file"}}:file:_files
            {{- else if eq .Value "words"}}:word:({{join .Words " "}})
            {{- else if .Value}}:{{.Value}}:
            {{- end}}'
        {{- end}} \
            '-h[print the help on the command]'
        {{- if eq .Operand "config"}} \
            '1:configuration:_trainer_config'
        {{- else if eq .Operand "file"}} \
            '1:file:_files'
        {{- else if .Words}} \
            '1:word:({{join .Words " "}})'
        {{- end}}
        ;;
{{- end}}
    esac
}

if [[ $funcstack[1] == _trainer ]]; then
    _trainer "$@" # autoloaded
else
    compdef _trainer trainer
fi

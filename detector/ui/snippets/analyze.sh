HERE=http://127.0.0.1:7860/gradio_api
FILE=$(curl -sS -F files=@clip.mp4 $HERE/upload | cut -d'"' -f2)
ASK=$(printf '{"video": {"path": "%s", "meta": {"_type": "gradio.FileData"}}}' "$FILE")
EVENT=$(curl -sS $HERE/call/v2/analyze_video -H 'Content-Type: application/json' -d "$ASK" | cut -d'"' -f4)
curl -sSN $HERE/call/v2/analyze_video/$EVENT | grep '^data:' | tail -n 1 | cut -c7-

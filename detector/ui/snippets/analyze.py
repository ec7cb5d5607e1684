from gradio_client import Client, handle_file

client = Client("http://127.0.0.1:7860")
report = client.predict(video=handle_file("clip.mp4"), api_name="/analyze_video")
print(report["status"], report["verdict"], report["p_fake"])

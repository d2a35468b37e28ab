// A telephone in a browser page: SIP over a WebSocket (RFC 7118), sound over WebRTC. It registers, answers whatever
// comes, speaks a tone, and says in `phone` what it hears. Written for one test; a product would take a library.
"use strict";

const phone = { registered: false, answered: 0, ended: 0, heardHz: 0, problem: "" };

function start(url, name, hz) {
  const socket = new WebSocket(url, "sip");
  const token = () => Math.random().toString(36).slice(2);
  const audio = new AudioContext({ sampleRate: 8000 });
  const calls = new Map();

  const send = (lines, body = "") =>
    socket.send([...lines, `Content-Length: ${body.length}`, "", body].join("\r\n"));

  function register() {
    send([
      `REGISTER sip:127.0.0.1 SIP/2.0`,
      `Via: SIP/2.0/WS page.invalid;branch=z9hG4bK${token()}`,
      `Max-Forwards: 70`,
      `From: <sip:${name}@127.0.0.1>;tag=${token()}`,
      `To: <sip:${name}@127.0.0.1>`,
      `Call-ID: ${token()}`,
      `CSeq: 1 REGISTER`,
      `Contact: <sip:${name}@page.invalid;transport=ws>;expires=600`,
    ]);
  }

  function respond(request, status, words, body = "") {
    const copied = request.lines.filter((line) => /^(via|from|call-id|cseq|record-route):/i.test(line));
    const to = request.header("to");
    send(
      [
        `SIP/2.0 ${status} ${words}`,
        ...copied,
        `To: ${/;tag=/.test(to) ? to : `${to};tag=${request.call.tag}`}`,
        `Contact: <sip:${name}@page.invalid;transport=ws>`,
        ...(body ? ["Content-Type: application/sdp"] : []),
      ],
      body,
    );
  }

  function listen(stream) {
    // Without an element that plays it, Chromium lets no sound of a remote stream through.
    const element = new Audio();
    element.muted = true;
    element.srcObject = stream;
    element.play();
    const analyser = audio.createAnalyser();
    analyser.fftSize = 1024;
    audio.createMediaStreamSource(stream).connect(analyser);
    const bins = new Uint8Array(analyser.frequencyBinCount);
    setInterval(() => {
      analyser.getByteFrequencyData(bins);
      const loudest = bins.indexOf(Math.max(...bins));
      phone.heardHz = bins[loudest] > 100 ? Math.round((loudest * audio.sampleRate) / analyser.fftSize) : 0;
    }, 50);
  }

  // Packets to a server on loopback come from there, whatever addresses the machine has besides.
  const onLoopback = (sdp) => sdp.replace(/^(a=candidate:\S+ \d udp \d+ )[0-9.]+ /gim, "$1127.0.0.1 ");

  async function invited(request) {
    respond(request, 180, "Ringing");
    const peer = (request.call.peer = new RTCPeerConnection());
    peer.ontrack = (event) => listen(event.streams[0] ?? new MediaStream([event.track]));
    const tone = audio.createOscillator();
    const out = audio.createMediaStreamDestination();
    tone.frequency.value = hz;
    tone.connect(out);
    tone.start();
    await peer.setRemoteDescription({ type: "offer", sdp: request.body });
    for (const track of out.stream.getTracks()) peer.addTrack(track, out.stream);
    await peer.setLocalDescription(await peer.createAnswer());
    if (peer.iceGatheringState !== "complete")
      await new Promise((done) => {
        peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && done();
      });
    respond(request, 200, "OK", onLoopback(peer.localDescription.sdp));
    phone.answered += 1;
  }

  function over(request) {
    request.call.peer?.close();
    calls.delete(request.header("call-id"));
    phone.ended += 1;
  }

  socket.onopen = register;
  socket.onerror = () => (phone.problem = "the WebSocket failed");
  socket.onmessage = async ({ data }) => {
    const text = typeof data === "string" ? data : await data.text();
    const [head, body] = [text.slice(0, text.indexOf("\r\n\r\n")), text.slice(text.indexOf("\r\n\r\n") + 4)];
    const [first, ...lines] = head.split("\r\n");
    const header = (wanted) =>
      lines.find((line) => line.toLowerCase().startsWith(`${wanted}:`))?.slice(wanted.length + 1).trim() ?? "";
    if (first.startsWith("SIP/2.0")) {
      if (/REGISTER/.test(header("cseq"))) phone.registered = / 200 /.test(first);
      return;
    }
    const id = header("call-id");
    if (!calls.has(id)) calls.set(id, { tag: token(), peer: null });
    const request = { lines, body, header, call: calls.get(id) };
    try {
      const method = first.split(" ")[0];
      if (method === "INVITE") await invited(request);
      else if (method === "BYE" || method === "CANCEL") {
        respond(request, 200, "OK");
        over(request);
      } else if (method !== "ACK") respond(request, 200, "OK");
    } catch (error) {
      phone.problem = String(error);
    }
  };
}

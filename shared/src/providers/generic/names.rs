//! What fields are called, normalised, the surest name first. `…_OUTER` are names that say too little to be believed within
//! another object: `{"id": 7}` is the call's id, `{"team": {"id": 7}}` is not.

/// Objects that merely wrap the fields of a call.
pub(super) const WRAPPERS: [&str; 14] = [
    "call",
    "data",
    "payload",
    "object",
    "body",
    "params",
    "result",
    "resource",
    "event",
    "message",
    "cdr",
    "conversation",
    "session",
    "interaction",
];

pub(super) const EVENT: &[&str] =
    &["eventtype", "eventname", "eventkind", "webhookevent", "callevent", "trigger", "hookname", "topic"];
pub(super) const EVENT_OUTER: &[&str] = &["event", "type", "action", "kind", "name"];
pub(super) const ID: &[&str] = &[
    "callid",
    "callsid",
    "callcontrolid",
    "callsessionid",
    "callref",
    "callkey",
    "cdrid",
    "conversationid",
    "conversationsid",
    "conversationuuid",
    "interactionid",
    "telephonysessionid",
    "sessionid",
    "linkedid",
    "uniqueid",
];
pub(super) const ID_OUTER: &[&str] = &["id", "sid"];
pub(super) const UUID: &[&str] = &["calluuid"];
pub(super) const UUID_OUTER: &[&str] = &["uuid"];
pub(super) const STATUS: &[&str] = &["callstatus", "callstate", "disposition", "callresult", "dialstatus"];
pub(super) const STATUS_OUTER: &[&str] = &["status", "state", "result", "outcome"];
pub(super) const DIRECTION: &[&str] = &["calldirection", "direction", "calltype"];
pub(super) const DIRECTION_OUTER: &[&str] = &["type"];
pub(super) const EXTERNAL: &[&str] = &[
    "externalnumber",
    "externalphone",
    "externalphonenumber",
    "publicexternal",
    "customernumber",
    "customerphone",
    "customerphonenumber",
    "contactnumber",
    "contactphone",
    "contactphonenumber",
    "clientnumber",
    "clientphone",
    "leadphone",
    "leadnumber",
    "prospectphone",
    "remotenumber",
    "remotepartynumber",
    "rawdigits",
];
pub(super) const EXTERNAL_OUTER: &[&str] = &["phone", "phonenumber"];
pub(super) const INTERNAL: &[&str] = &[
    "internalnumber",
    "internalphone",
    "publicinternal",
    "companynumber",
    "businessnumber",
    "ournumber",
    "linenumber",
    "didnumber",
    "trunknumber",
    "agentnumber",
    "assistantphonenumber",
];
pub(super) const INTERNAL_OUTER: &[&str] = &["did", "line"];
pub(super) const FROM: &[&str] = &[
    "fromnumber",
    "fromphonenumber",
    "fromphone",
    "callernumber",
    "callerphone",
    "callerphonenumber",
    "callerid",
    "callingnumber",
    "sourcenumber",
    "ani",
];
pub(super) const FROM_OUTER: &[&str] = &["from", "caller", "source", "src"];
pub(super) const TO: &[&str] = &[
    "tonumber",
    "tophonenumber",
    "tophone",
    "calleenumber",
    "calleephone",
    "callednumber",
    "dialednumber",
    "diallednumber",
    "destinationnumber",
    "dnis",
];
pub(super) const TO_OUTER: &[&str] = &["to", "callee", "called", "destination", "dst"];
pub(super) const SECONDS: &[&str] = &[
    "talkingtime",
    "talktime",
    "callduration",
    "conversationduration",
    "calldurationseconds",
    "calldurationsecs",
    "durationseconds",
    "durationsecs",
    "durationinseconds",
    "billsec",
    "billseconds",
];
pub(super) const SECONDS_OUTER: &[&str] = &["duration", "length"];
pub(super) const MILLISECONDS: &[&str] =
    &["calldurationms", "durationms", "durationmillis", "durationmilliseconds", "durationinms"];
pub(super) const STARTED: &[&str] = &[
    "startedat",
    "starttime",
    "starttimestamp",
    "startdate",
    "startedtime",
    "callstartedat",
    "callstarttime",
    "callstart",
    "calldate",
    "begantime",
    "begintime",
];
pub(super) const STARTED_OUTER: &[&str] = &["start", "started", "date"];
pub(super) const ENDED: &[&str] = &[
    "endedat",
    "endtime",
    "endtimestamp",
    "enddate",
    "endedtime",
    "callendedat",
    "callendtime",
    "callend",
    "hangupat",
    "hanguptime",
    "finishedat",
    "completedat",
];
pub(super) const ENDED_OUTER: &[&str] = &["end", "ended"];
pub(super) const RECORDED: &[&str] =
    &["recorded", "isrecorded", "wasrecorded", "callrecorded", "hasrecording", "hasaudio", "recordingavailable"];
pub(super) const VOICEMAIL: &[&str] = &["isvoicemail", "voicemail", "voicemaildetected"];
pub(super) const FORMAT: &[&str] = &["recordingformat", "recordingextension", "audioformat", "recordingmimetype"];
pub(super) const AGENT_ID: &[&str] = &["agentid", "operatorid", "userid"];
pub(super) const AGENT_NAME: &[&str] = &["agentname", "agentfullname", "operatorname", "username"];
pub(super) const AGENT_OUTER: &[&str] = &["agent", "operator", "user"];
pub(super) const AGENT_EMAIL: &[&str] = &["agentemail", "operatoremail", "useremail"];
pub(super) const CONTACT_ID: &[&str] = &["contactid", "customerid", "leadid"];
pub(super) const CONTACT_NAME: &[&str] =
    &["contactname", "contactfullname", "customername", "clientname", "leadname", "callername"];
pub(super) const CONTACT_EMAIL: &[&str] = &["contactemail", "customeremail", "clientemail", "leademail"];
pub(super) const CAMPAIGN: &[&str] = &["campaignname", "campaigntitle"];
pub(super) const CAMPAIGN_OUTER: &[&str] = &["campaign"];

/// Fields that hold the recording's URL. Words for it that other things have, too (`url`, `href`, `file`) count within an
/// object that is called one of [`RECORDING`].
pub(super) const URL: &[&str] = &[
    "recordingurl",
    "recordingfileurl",
    "callrecordingurl",
    "recordingdownloadurl",
    "recordinglink",
    "recordurl",
    "recordingstereourl",
    "stereorecordingurl",
    "stereourl",
    "recordingmultichannelurl",
    "audiourl",
    "audiofileurl",
    "audiolink",
    "downloadurl",
    "playbackurl",
    "voiceurl",
    "soundurl",
    "mediaurl",
    "publicrecordingurl",
    "recording",
    "audio",
];
pub(super) const RECORDING: &[&str] = &["recording", "audio", "callrecord", "stereo", "mono"];
